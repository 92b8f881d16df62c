"""Answers about campaigns, their schedules, variants and results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from api.marketing.outputs.messages import MessageRow
from api.outputs import Output

CampaignState = Literal["draft", "scheduled", "running", "paused", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class ScheduleRow(Output):
    component: ClassVar[str] = "Schedule"
    notes: ClassVar[dict[str, str]] = {"next_runs": "The next ten, in UTC.", "day_of_week": "0 is Sunday."}

    campaign_id: int
    frequency: Literal["once", "daily", "weekly", "monthly"]
    day_of_week: int | None
    day_of_month: int | None
    interval: int
    time: str
    start_date: str
    end_date: str | None
    timezone: str
    is_active: bool
    next_run_at: datetime | None
    next_runs: list[datetime]


@dataclass(frozen=True, slots=True)
class VariantRow(Output):
    component: ClassVar[str] = "Variant"

    id: int
    variant_name: str
    message: str
    percentage: int


@dataclass(frozen=True, slots=True)
class CampaignNumbers(Output):
    component: ClassVar[str] = "CampaignNumbers"

    recipients: int
    queued: int
    sent: int
    delivered: int
    read: int
    failed: int
    cancelled: int
    skipped: int


@dataclass(frozen=True, slots=True)
class CampaignRow(Output):
    component: ClassVar[str] = "Campaign"
    notes: ClassVar[dict[str, str]] = {
        "results": "Of the newest run.",
        "recipients": "How the recipients are chosen.",
        "run_id": "The newest run.",
    }

    id: int
    name: str
    message_content: str
    status: CampaignState
    status_reason: str | None
    channel_id: int
    category: Literal["marketing", "utility"]
    recipients: Literal["list", "contacts", "groups", "segment", "all"]
    timezone: str
    scheduled_at: datetime | None
    schedule: ScheduleRow | None
    variants: list[VariantRow]
    run_id: int | None
    results: CampaignNumbers | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class CampaignSent(Output):
    component: ClassVar[str] = "CampaignSent"
    notes: ClassVar[dict[str, str]] = {
        "total": "Recipients of the request; null when the campaign's own audience is used.",
        "duplicates": "Named more than once.",
        "invalid": "Not phone numbers.",
    }

    campaign_id: int
    run_id: int
    status: CampaignState
    total: int | None
    duplicates: int
    invalid: int


@dataclass(frozen=True, slots=True)
class CampaignResults(Output):
    component: ClassVar[str] = "CampaignResults"
    notes: ClassVar[dict[str, str]] = {
        "skipped": "Reason -> how many got no message.",
        "by_variant": "Variant's name -> its numbers.",
        "messages": "One page of recipients, the newest first.",
    }

    campaign_id: int
    run_id: int
    status: str
    results: CampaignNumbers
    skipped: dict[str, Any]
    by_variant: dict[str, Any]
    messages: list[MessageRow]
