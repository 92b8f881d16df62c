"""Field types of `api.bodies` for days, times of day and what query parameters write as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.bodies import MISSING, FieldType, Problems
from api.body_types import Moment

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_WORDS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Day(FieldType):
    """A date, YYYY-MM-DD."""

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            return problems.add(path, "invalid_format", "A date is expected, YYYY-MM-DD.")
        try:
            return date.fromisoformat(value)
        except ValueError:
            return problems.add(path, "invalid_format", "There is no such date.")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class Clock(FieldType):
    """A time of day, HH:MM."""

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str) or not _CLOCK.fullmatch(value):
            return problems.add(path, "invalid_format", "A time of day is expected, HH:MM.")
        return time.fromisoformat(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "example": "09:00"}


@dataclass(frozen=True, slots=True)
class DayOrMoment(FieldType):
    """A date, or a date and time with a zone: for filters. Given back as `date` or as aware `datetime`."""

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return Day().read(value, path, problems)
        # A + that was not escaped in a URL arrives as a space.
        return Moment().read(value.replace(" ", "+") if isinstance(value, str) else value, path, problems)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "example": "2025-11-01"}


@dataclass(frozen=True, slots=True)
class FlagText(FieldType):
    """true or false (or 1 or 0) written as text, as query parameters are."""

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        found = _WORDS.get(value.lower()) if isinstance(value, str) else None
        return problems.add(path, "invalid_type", "true or false is expected.") if found is None else found

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Wholes(FieldType):
    """A list of `least` to `most` whole numbers above zero, such as ids."""

    least: int
    most: int

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, list):
            return problems.add(path, "invalid_type", "A list of whole numbers is expected.")
        if not self.least <= len(value) <= self.most:
            return problems.add(path, "out_of_range", f"{self.least} to {self.most} entries are possible.")
        wrong = [
            index
            for index, item in enumerate(value)
            if isinstance(item, bool) or not isinstance(item, int) or not 0 < item < 2**63
        ]
        for index in wrong:
            problems.add(f"{path}[{index}]", "invalid_type", "A whole number is expected.")
        return MISSING if wrong else value

    def schema(self) -> dict[str, Any]:
        items = {"type": "integer"}
        return {"type": "array", "items": items, "minItems": self.least, "maxItems": self.most}


def since_of(value: date | datetime | None, zone: str) -> datetime | None:
    """The beginning of a filter: a day begins at midnight in `zone`."""
    if value is None or isinstance(value, datetime):
        return value
    return datetime.combine(value, time.min, ZoneInfo(zone)).astimezone(UTC)


def until_of(value: date | datetime | None, zone: str) -> datetime | None:
    """The end of a filter, not included: a day belongs to it as a whole."""
    if value is None or isinstance(value, datetime):
        return value
    if value == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(value + timedelta(days=1), time.min, ZoneInfo(zone)).astimezone(UTC)
