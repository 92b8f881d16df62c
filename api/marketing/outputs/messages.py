"""Answers about messages and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from api.outputs import Output

MessageState = Literal["pending", "sent", "delivered", "read", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class MessageRow(Output):
    component: ClassVar[str] = "Message"

    id: int
    uuid: str
    recipient: str
    contact_id: int | None
    contact_name: str | None
    message: str
    status: MessageState
    operator: str
    sms_count: int
    cost: float
    channel: str
    campaign_run_id: int | None
    error: str | None
    error_code: str | None
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Unsent(Output):
    component: ClassVar[str] = "Unsent"

    recipient: str
    code: str
    error: str


@dataclass(frozen=True, slots=True)
class SendData(Output):
    component: ClassVar[str] = "SendData"
    notes: ClassVar[dict[str, str]] = {
        "sent": "Accepted for sending; with `Prefer: wait=N` what had left within N seconds.",
        "pending": "With `Prefer: wait=N`: accepted, and not decided yet.",
        "sms_count": "Segments of each message.",
        "by_operator": "Operator -> recipients.",
        "failures": "Who gets nothing, and why.",
    }

    total: int
    sent: int
    failed: int
    pending: int
    sms_count: int
    total_cost: float
    by_operator: dict[str, Any]
    message_ids: list[int]
    failures: list[Unsent]


@dataclass(frozen=True, slots=True)
class AnalyzedNumber(Output):
    component: ClassVar[str] = "AnalyzedNumber"

    phone: str
    operator: str
    is_valid: bool


@dataclass(frozen=True, slots=True)
class AnalysisData(Output):
    component: ClassVar[str] = "AnalysisData"

    total: int
    airtel_count: int
    moov_count: int
    unknown_count: int
    by_operator: dict[str, Any]
    details: list[AnalyzedNumber]
