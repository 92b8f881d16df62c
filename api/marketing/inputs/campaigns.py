"""Bodies and queries of campaigns, their schedules and variants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import ClassVar

from api.bodies import body_field
from api.body_types import Choice, Flag, ListOf, Moment, Text, Whole, WholeText, Words
from api.date_types import Clock, Day, Wholes
from api.marketing.inputs.form import ID, NAME, PHONE, RECIPIENTS_MOST, STATUSES, TEXT, Examples, Form
from api.marketing.pagination import PageQuery


@dataclass(frozen=True, slots=True)
class CampaignsQuery(PageQuery):
    component: ClassVar[str] = "CampaignsQuery"

    status: str | None = body_field(
        "status",
        Choice(("draft", "scheduled", "running", "paused", "completed", "failed", "cancelled")),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class CampaignInput(Form):
    component: ClassVar[str] = "CampaignInput"
    examples: ClassVar[Examples] = {
        "At a time": {
            "name": "Black Friday Sale",
            "message_content": "🎉 50% OFF everything! Visit our store today.",
            "scheduled_at": "2027-11-26T09:00:00Z",
        }
    }

    name: str = body_field("name", NAME)
    message_content: str = body_field("message_content", TEXT, help="May hold variables such as {nom}.")
    scheduled_at: datetime | None = body_field("scheduled_at", Moment(), default=None, help="Sent once at this time.")
    recipients: list[str] | None = body_field("recipients", Words(1, RECIPIENTS_MOST, PHONE), default=None)
    contact_ids: list[int] | None = body_field("contact_ids", Wholes(1, RECIPIENTS_MOST), default=None)
    group_ids: list[int] | None = body_field("group_ids", Wholes(1, 1000), default=None)
    segment_id: int | None = body_field("segment_id", ID, default=None)
    channel_id: int | None = body_field("channel_id", ID, default=None, help="By default the SMS channel.")
    category: str = body_field(
        "category", Choice(("marketing", "utility")), default="marketing", help="Marketing respects opt-outs from it."
    )
    timezone: str | None = body_field("timezone", Text(1, 40), default=None, help="By default the organisation's.")


@dataclass(frozen=True, slots=True)
class CampaignChange(Form):
    component: ClassVar[str] = "CampaignChange"

    name: str | None = body_field("name", NAME, default=None)
    message_content: str | None = body_field("message_content", TEXT, default=None)
    recipients: list[str] | None = body_field("recipients", Words(1, RECIPIENTS_MOST, PHONE), default=None)
    contact_ids: list[int] | None = body_field("contact_ids", Wholes(1, RECIPIENTS_MOST), default=None)
    group_ids: list[int] | None = body_field("group_ids", Wholes(1, 1000), default=None)
    segment_id: int | None = body_field("segment_id", ID, default=None)
    channel_id: int | None = body_field("channel_id", ID, default=None)
    category: str | None = body_field("category", Choice(("marketing", "utility")), default=None)
    timezone: str | None = body_field("timezone", Text(1, 40), default=None)


@dataclass(frozen=True, slots=True)
class CampaignSendInput(Form):
    component: ClassVar[str] = "CampaignSendInput"
    examples: ClassVar[Examples] = {
        "Two numbers": {
            "recipients": ["+24162000001", "+24177000002"],
            "message": "Hello {nom}, check out our new products!",
        }
    }

    recipients: list[str] | None = body_field(
        "recipients",
        Words(1, RECIPIENTS_MOST, PHONE),
        default=None,
        help="Required unless the campaign has recipients of its own.",
    )
    message: str | None = body_field("message", TEXT, default=None, help="By default the campaign's.")
    all_contacts: bool = body_field("all_contacts", Flag(), default=False, help="To every active contact.")


@dataclass(frozen=True, slots=True)
class ScheduleInput(Form):
    component: ClassVar[str] = "ScheduleInput"
    examples: ClassVar[Examples] = {
        "Mondays": {
            "frequency": "weekly",
            "day_of_week": 1,
            "time": "09:00",
            "start_date": "2027-01-04",
            "end_date": "2027-12-31",
            "is_active": True,
        }
    }

    frequency: str = body_field("frequency", Choice(("once", "daily", "weekly", "monthly")))
    time: time = body_field("time", Clock())
    start_date: date = body_field("start_date", Day())
    end_date: date | None = body_field("end_date", Day(), default=None)
    day_of_week: int | None = body_field("day_of_week", Whole(0, 6), default=None, help="0 is Sunday.")
    day_of_month: int | None = body_field("day_of_month", Whole(1, 31), default=None)
    interval: int = body_field("interval", Whole(1, 366), default=1, help="Every so many days, weeks or months.")
    timezone: str | None = body_field("timezone", Text(1, 40), default=None, help="By default the campaign's.")
    is_active: bool = body_field("is_active", Flag(), default=True)


@dataclass(frozen=True, slots=True)
class VariantItem(Form):
    component: ClassVar[str] = "VariantInput"

    variant_name: str = body_field("variant_name", Text(1, 60, strip=True))
    message: str = body_field("message", TEXT)
    percentage: int = body_field("percentage", Whole(1, 100))


@dataclass(frozen=True, slots=True)
class VariantsInput(Form):
    component: ClassVar[str] = "VariantsInput"
    examples: ClassVar[Examples] = {
        "Halves": {
            "variants": [
                {"variant_name": "Version A", "message": "Get 20% OFF now!", "percentage": 50},
                {"variant_name": "Version B", "message": "Limited time: 20% discount!", "percentage": 50},
            ]
        }
    }

    variants: list[VariantItem] = body_field("variants", ListOf(VariantItem, 2, 10))


@dataclass(frozen=True, slots=True)
class DuplicateInput(Form):
    component: ClassVar[str] = "DuplicateInput"

    name: str | None = body_field("name", NAME, default=None)


@dataclass(frozen=True, slots=True)
class ResultsQuery(PageQuery):
    component: ClassVar[str] = "ResultsQuery"

    run_id: int | None = body_field("run_id", WholeText(1, 2**53), default=None, help="By default the newest run.")
    status: str | None = body_field("status", Choice(STATUSES), default=None)
