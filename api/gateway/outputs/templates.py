"""Answers about message templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from api.outputs import Output


@dataclass(frozen=True, slots=True)
class TemplateRow(Output):
    component: ClassVar[str] = "Template"
    notes: ClassVar[dict[str, str]] = {
        "id": "Meta's id; empty until Meta has answered.",
        "status": "PENDING, APPROVED, REJECTED, PAUSED, DISABLED ... Only approved ones are sent.",
        "nextCategory": "A change that Meta has announced.",
        "quality": "GREEN, YELLOW, RED, or empty.",
    }

    id: str
    uuid: UUID
    name: str
    language: str
    category: str
    previousCategory: str | None
    nextCategory: str | None
    status: str
    reason: str | None
    quality: str | None
    parameterFormat: str
    components: list[dict[str, Any]]
    createdAt: datetime
    statusAt: datetime


@dataclass(frozen=True, slots=True)
class TemplateCreated(Output):
    component: ClassVar[str] = "TemplateCreated"

    success: bool
    message: str
    template: TemplateRow


@dataclass(frozen=True, slots=True)
class SyncCounts(Output):
    component: ClassVar[str] = "SyncCounts"

    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class TemplateList(Output):
    component: ClassVar[str] = "TemplateList"
    notes: ClassVar[dict[str, str]] = {"synced": "What reading from Meta has changed; null without sync=true."}

    success: bool
    templates: list[TemplateRow]
    synced: SyncCounts | None


@dataclass(frozen=True, slots=True)
class TemplateDeleted(Output):
    component: ClassVar[str] = "TemplateDeleted"
    notes: ClassVar[dict[str, str]] = {"languages": "Deleting by name deletes every language."}

    success: bool
    message: str
    name: str
    languages: list[str]
