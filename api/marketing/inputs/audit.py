"""The query of the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from api.bodies import body_field
from api.body_types import Text, WholeText
from api.date_types import DayOrMoment
from api.marketing.pagination import PageQuery


@dataclass(frozen=True, slots=True)
class AuditQuery(PageQuery):
    component: ClassVar[str] = "AuditQuery"

    action: str | None = body_field("action", Text(1, 60, strip=True), default=None)
    start_date: date | datetime | None = body_field("start_date", DayOrMoment(), default=None)
    end_date: date | datetime | None = body_field("end_date", DayOrMoment(), default=None, help="Included.")
    model_type: str | None = body_field("model_type", Text(1, 120, strip=True), default=None)
    model_id: int | None = body_field("model_id", WholeText(1, 2**53), default=None)
