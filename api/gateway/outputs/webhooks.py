"""Answers about webhooks and their deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from api.outputs import Output


@dataclass(frozen=True, slots=True)
class WebhookRow(Output):
    component: ClassVar[str] = "Webhook"
    notes: ClassVar[dict[str, str]] = {"disabledReason": "Why it was switched off, when it was."}

    id: UUID
    url: str
    events: list[str]
    isActive: bool
    disabledReason: str | None
    createdAt: datetime
    lastSuccessAt: datetime | None
    lastFailureAt: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookCreated(Output):
    component: ClassVar[str] = "WebhookCreated"
    notes: ClassVar[dict[str, str]] = {"secret": "Signs the deliveries. Shown only here."}

    success: bool
    message: str
    webhook: WebhookRow
    secret: str


@dataclass(frozen=True, slots=True)
class WebhookList(Output):
    component: ClassVar[str] = "WebhookList"

    success: bool
    webhooks: list[WebhookRow]


@dataclass(frozen=True, slots=True)
class WebhookShown(Output):
    component: ClassVar[str] = "WebhookShown"

    success: bool
    webhook: WebhookRow


@dataclass(frozen=True, slots=True)
class SecretChanged(Output):
    component: ClassVar[str] = "WebhookSecretChanged"
    notes: ClassVar[dict[str, str]] = {
        "secret": "Signs from now on. Shown only here.",
        "previousUntil": "The old secret signs as well until then.",
    }

    success: bool
    secret: str
    previousUntil: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookDeleted(Output):
    component: ClassVar[str] = "WebhookDeleted"

    success: bool
    message: str


@dataclass(frozen=True, slots=True)
class WebhookTested(Output):
    component: ClassVar[str] = "WebhookTested"
    notes: ClassVar[dict[str, str]] = {
        "delivered": "Whether the receiver answered 2xx.",
        "response": "The beginning of its answer.",
    }

    success: bool
    delivered: bool
    statusCode: int | None
    latencyMs: int
    error: str | None
    response: str
    deliveryId: UUID


@dataclass(frozen=True, slots=True)
class DeliveryRow(Output):
    component: ClassVar[str] = "WebhookDelivery"
    notes: ClassVar[dict[str, str]] = {
        "status": "PENDING while it will still be tried.",
        "statusCode": "The receiver's answer to the last attempt.",
        "payload": "What was posted; empty when it is not kept any more.",
    }

    id: UUID
    webhookId: UUID
    url: str
    event: str
    status: Literal["PENDING", "SUCCESS", "FAILED", "CANCELLED"]
    attempts: int
    statusCode: int | None
    latencyMs: int | None
    error: str | None
    payload: dict[str, Any]
    createdAt: datetime
    finishedAt: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryList(Output):
    component: ClassVar[str] = "WebhookDeliveryList"

    success: bool
    deliveries: list[DeliveryRow]
    nextCursor: str | None


@dataclass(frozen=True, slots=True)
class AttemptRow(Output):
    component: ClassVar[str] = "WebhookAttempt"
    notes: ClassVar[dict[str, str]] = {"response": "The beginning of the receiver's answer."}

    number: int
    at: datetime
    latencyMs: int
    statusCode: int | None
    error: str | None
    response: str


@dataclass(frozen=True, slots=True)
class DeliveryShown(Output):
    component: ClassVar[str] = "WebhookDeliveryShown"

    success: bool
    delivery: DeliveryRow
    attempts: list[AttemptRow]


@dataclass(frozen=True, slots=True)
class DeliveryReplayed(Output):
    component: ClassVar[str] = "WebhookDeliveryReplayed"

    success: bool
    message: str
    deliveryId: UUID


@dataclass(frozen=True, slots=True)
class ReplayRow(Output):
    component: ClassVar[str] = "WebhookReplay"
    notes: ClassVar[dict[str, str]] = {"replayed": "How many deliveries were put on their way again so far."}

    id: UUID
    webhookId: UUID
    status: Literal["running", "done", "cancelled"]
    since: datetime
    until: datetime
    failedOnly: bool
    replayed: int
    createdAt: datetime
    finishedAt: datetime | None


@dataclass(frozen=True, slots=True)
class ReplayShown(Output):
    component: ClassVar[str] = "WebhookReplayShown"

    success: bool
    replay: ReplayRow
