"""Answers about sub-accounts and their credits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from api.outputs import Output

MemberState = Literal["active", "suspended"]


@dataclass(frozen=True, slots=True)
class SubAccountRow(Output):
    component: ClassVar[str] = "SubAccount"
    notes: ClassVar[dict[str, str]] = {
        "sms_credit_limit": "What the sub-account may spend at most; null: no limit of its own.",
        "has_own_permissions": "False: the permissions are those of the role.",
    }

    id: int
    user_id: int
    name: str
    email: str
    role: str
    status: MemberState
    permissions: list[str]
    has_own_permissions: bool
    sms_credit_limit: float | None
    credits: float | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CreditData(Output):
    component: ClassVar[str] = "SubAccountCredits"

    id: int
    added: float
    credits: float
