"""Answers about text templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from api.outputs import Output


@dataclass(frozen=True, slots=True)
class TemplateRow(Output):
    component: ClassVar[str] = "Template"
    notes: ClassVar[dict[str, str]] = {"usage_count": "How often it was used.", "variables": "Without braces."}

    id: int
    name: str
    content: str
    category: str
    is_public: bool
    usage_count: int
    variables: list[str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PreviewData(Output):
    component: ClassVar[str] = "TemplatePreview"

    template_id: int
    original: str
    preview: str
    variables: list[str]
    sms_count: int
    encoding: str
    length: int
