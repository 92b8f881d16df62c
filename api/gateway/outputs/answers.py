"""Refusals, the same shape on every path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from api.outputs import Output


@dataclass(frozen=True, slots=True)
class RefusalReason(Output):
    component: ClassVar[str] = "RefusalReason"
    notes: ClassVar[dict[str, str]] = {
        "code": "Stable: decide by it.",
        "message": "For people.",
        "fields": "A field's path -> what is wrong with it.",
    }

    code: str
    message: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal(Output):
    component: ClassVar[str] = "Refusal"

    success: bool
    error: RefusalReason
    requestId: str
