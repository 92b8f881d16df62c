"""Bodies and queries of messages and their history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from api.bodies import body_field
from api.body_types import Choice, Text, WholeText, Words
from api.date_types import DayOrMoment
from api.marketing.inputs.form import ID, PHONE, RECIPIENTS_MOST, STATUSES, TEXT, Examples, Form
from api.marketing.pagination import PageQuery


@dataclass(frozen=True, slots=True)
class SendInput(Form):
    component: ClassVar[str] = "SendInput"
    examples: ClassVar[Examples] = {
        "Two numbers": {
            "recipients": ["+24162000001", "+24177000002"],
            "message": "Your verification code is: 123456",
        }
    }

    recipients: list[str] = body_field("recipients", Words(1, RECIPIENTS_MOST, Text(0, 64)))
    message: str = body_field("message", TEXT, help="May hold variables: filled for numbers that are contacts.")
    channel_id: int | None = body_field("channel_id", ID, default=None, help="By default the SMS channel.")


@dataclass(frozen=True, slots=True)
class AnalyzeInput(Form):
    component: ClassVar[str] = "AnalyzeInput"
    examples: ClassVar[Examples] = {"Three numbers": {"phone_numbers": ["+24162000001", "+24177000002", "0777000003"]}}

    phone_numbers: list[str] = body_field("phone_numbers", Words(1, RECIPIENTS_MOST, Text(0, 64)))


@dataclass(frozen=True, slots=True)
class HistoryQuery(PageQuery):
    component: ClassVar[str] = "HistoryQuery"

    status: str | None = body_field("status", Choice(STATUSES), default=None)
    start_date: date | datetime | None = body_field("start_date", DayOrMoment(), default=None)
    end_date: date | datetime | None = body_field("end_date", DayOrMoment(), default=None, help="Included.")
    recipient: str | None = body_field("recipient", PHONE, default=None)
    campaign_id: int | None = body_field("campaign_id", WholeText(1, 2**53), default=None)


@dataclass(frozen=True, slots=True)
class ExportQuery(Form):
    component: ClassVar[str] = "ExportQuery"

    format: str = body_field("format", Choice(("csv", "xlsx", "json")), default="csv")
    status: str | None = body_field("status", Choice(STATUSES), default=None)
    start_date: date | datetime | None = body_field("start_date", DayOrMoment(), default=None)
    end_date: date | datetime | None = body_field("end_date", DayOrMoment(), default=None, help="Included.")
    recipient: str | None = body_field("recipient", PHONE, default=None)
    campaign_id: int | None = body_field("campaign_id", WholeText(1, 2**53), default=None)
