"""Answers of the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from api.outputs import Output


@dataclass(frozen=True, slots=True)
class AuditRow(Output):
    component: ClassVar[str] = "AuditLog"

    id: int
    user_id: int | None
    sub_account_id: int | None
    user: str | None
    action: str
    model_type: str
    model_id: int | None
    old_values: dict[str, Any] | None
    new_values: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
