"""The answers of the transactional API, as `contracts/reachflow.openapi.json` names them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from api.outputs import Output

PublicStatus = Literal["queued", "processing", "sent", "delivered", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class ProviderSummary(Output):
    component: ClassVar[str] = "PublicProviderSummary"
    notes: ClassVar[dict[str, str]] = {
        "phoneNumber": "E.164 digits without +.",
        "status": "connected, paused, pending or disconnected. Only connected providers send.",
        "warmupDay": "Whole days since the provider's first live send; 0 before it.",
        "riskScore": "0 (calm) to 100, from failures, spam and quality errors of the last 24 hours.",
    }

    id: UUID
    name: str
    phoneNumber: str | None
    status: str
    warmupDay: int
    riskScore: int


@dataclass(frozen=True, slots=True)
class ProviderList(Output):
    component: ClassVar[str] = "PublicProviderList"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "One provider": {
            "providers": [
                {
                    "id": "a3f1b2c4-1234-4abc-9def-000011112222",
                    "name": "Customer care",
                    "phoneNumber": "22997000000",
                    "status": "connected",
                    "warmupDay": 14,
                    "riskScore": 12,
                }
            ]
        }
    }

    providers: list[ProviderSummary]


@dataclass(frozen=True, slots=True)
class DailyStats(Output):
    component: ClassVar[str] = "PublicDailyStats"
    notes: ClassVar[dict[str, str]] = {
        "date": "Today, by UTC.",
        "accepted": "Messages taken in by any way.",
        "received": "Messages from customers.",
        "limit": "Messages that may be sent today; null: no limit.",
        "remaining": "What is left of the limit; null: no limit.",
    }

    date: date
    accepted: int
    sent: int
    delivered: int
    failed: int
    received: int
    limit: int | None
    remaining: int | None


@dataclass(frozen=True, slots=True)
class ProviderDetail(Output):
    component: ClassVar[str] = "PublicProviderDetail"
    notes: ClassVar[dict[str, str]] = ProviderSummary.notes

    id: UUID
    name: str
    phoneNumber: str | None
    status: str
    warmupDay: int
    riskScore: int
    dailyStats: DailyStats


@dataclass(frozen=True, slots=True)
class SendAccepted(Output):
    component: ClassVar[str] = "PublicSendAccepted"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Accepted": {
            "messageId": "0198c0de-0000-7000-8000-000000000001",
            "status": "queued",
            "queuedAt": "2026-11-22T10:00:00Z",
        }
    }

    messageId: UUID
    status: Literal["queued"]
    queuedAt: datetime


@dataclass(frozen=True, slots=True)
class BulkRejection(Output):
    component: ClassVar[str] = "PublicBulkRejection"
    notes: ClassVar[dict[str, str]] = {
        "index": "Position in `recipients`, from 0.",
        "code": "Stable, for instance invalid_phone, variable_missing or suppressed.",
        "reason": "For people.",
    }

    index: int
    to: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class BulkAccepted(Output):
    component: ClassVar[str] = "PublicSendBulkResponse"
    notes: ClassVar[dict[str, str]] = {"messageIds": "One per accepted recipient, in the order of `recipients`."}
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "One of two": {
            "bulkId": "0198c0de-0000-7000-8000-000000000002",
            "accepted": 1,
            "rejected": 1,
            "rejections": [
                {"index": 1, "to": "12", "code": "invalid_phone", "reason": "This is not a phone number."},
            ],
            "messageIds": ["0198c0de-0000-7000-8000-000000000003"],
        }
    }

    bulkId: UUID
    accepted: int
    rejected: int
    rejections: list[BulkRejection]
    messageIds: list[UUID]


@dataclass(frozen=True, slots=True)
class MessageStatus(Output):
    component: ClassVar[str] = "PublicMessageStatus"
    notes: ClassVar[dict[str, str]] = {
        "status": "A message that has been read is reported as delivered, a scheduled one as queued.",
        "to": "E.164 digits without +.",
        "failureCode": "The provider's or our code, stable.",
        "failureReason": "The same in plain language.",
    }

    messageId: UUID
    status: PublicStatus
    to: str
    providerId: UUID
    queuedAt: datetime
    sentAt: datetime | None
    deliveredAt: datetime | None
    failedAt: datetime | None
    failureCode: str | None
    failureReason: str | None


@dataclass(frozen=True, slots=True)
class OtpSent(Output):
    component: ClassVar[str] = "PublicOtpSendResponse"
    notes: ClassVar[dict[str, str]] = {
        "messageId": "The message that carries the code. The code itself is never returned."
    }

    otpId: UUID
    messageId: UUID
    expiresAt: datetime


@dataclass(frozen=True, slots=True)
class OtpVerified(Output):
    component: ClassVar[str] = "PublicOtpVerifyResponse"
    left_out: ClassVar[frozenset[str]] = frozenset({"reason", "attemptsLeft"})
    notes: ClassVar[dict[str, str]] = {
        "reason": "Only when not valid: wrong_code, expired, already_used or too_many_attempts.",
        "attemptsLeft": "Guesses left for this code; only when not valid.",
    }
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Right": {"valid": True},
        "Wrong": {"valid": False, "reason": "wrong_code", "attemptsLeft": 4},
    }

    valid: bool
    reason: str | None = None
    attemptsLeft: int | None = None


@dataclass(frozen=True, slots=True)
class ProblemError(Output):
    component: ClassVar[str] = "ProblemError"

    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ProblemDocument(Output):
    """RFC 9457; written by `api.transactional.errors`."""

    component: ClassVar[str] = "Problem"
    notes: ClassVar[dict[str, str]] = {
        "type": "The documentation of the code.",
        "code": "Stable: decide by this one.",
        "detail": "For people; may change.",
        "instance": "The path of the request.",
        "request_id": "Also in the header X-Request-Id.",
        "errors": "What is wrong, by field.",
    }

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    request_id: str
    errors: list[ProblemError]
