"""Answers about webhooks and their deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from api.outputs import Output


@dataclass(frozen=True, slots=True)
class DeliveryLog(Output):
    component: ClassVar[str] = "WebhookLog"

    id: int
    event: str
    success: bool
    status: str
    status_code: int | None
    attempts: int
    response_time_ms: int | None
    error: str | None
    payload: dict[str, Any]
    triggered_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookRow(Output):
    component: ClassVar[str] = "Webhook"
    left_out: ClassVar[frozenset[str]] = frozenset({"secret", "logs"})
    notes: ClassVar[dict[str, str]] = {
        "secret": "Only in the answer that created it.",
        "logs": "The last ten deliveries, in the answer for one webhook.",
    }

    id: int
    name: str
    url: str
    events: list[str]
    retry_limit: int
    timeout: int
    is_active: bool
    disabled_reason: str | None
    last_triggered_at: datetime | None
    created_at: datetime
    secret: str | None = None
    logs: list[DeliveryLog] | None = None


@dataclass(frozen=True, slots=True)
class EventCount(Output):
    component: ClassVar[str] = "EventCount"

    event: str
    count: int


@dataclass(frozen=True, slots=True)
class StatsData(Output):
    component: ClassVar[str] = "WebhookStats"

    total_triggers: int
    successful: int
    failed: int
    success_rate: float
    last_triggered_at: datetime | None
    average_response_time_ms: int | None
    events_by_type: list[EventCount]


@dataclass(frozen=True, slots=True)
class TestData(Output):
    component: ClassVar[str] = "WebhookTest"

    success: bool
    status_code: int | None
    response_time_ms: int
    response: str
    error: str | None
