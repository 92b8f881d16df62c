"""When a recurring rule fires: pure arithmetic on (rule, zone, after). No clock, no database, no framework.

A rule names local days and one wall-clock time. Each local day of the rule fires exactly once:

- A time that the day does not have (the clock is put forward over it) fires at the first instant after the gap.
- A time that the day has twice (the clock is put back) fires at the first of the two.
- A month that lacks the day (31 in April, 29 in February) fires on its last day.
- A date that the zone skipped altogether (Samoa, 30 December 2011) does not fire.
"""

from __future__ import annotations

import calendar
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, islice
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

# Day of the month that stands for the last one, whatever its number.
LAST_DAY: Final = -1
MAX_INTERVAL: Final = 366
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class Frequency(enum.StrEnum):
    """How often a rule fires."""

    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class BadRule(ValueError):
    """A rule that cannot be; `fields` maps the names of `Rule`'s fields to what is wrong with them."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in fields.items()))
        self.fields = dict(fields)


@dataclass(frozen=True, slots=True)
class Rule:
    """Local days and a wall-clock time. Raises `BadRule`, naming every field that is wrong.

    `weekdays`: for weekly rules, 0 = Sunday to 6 = Saturday (PHP's `date('w')` and Carbon's `dayOfWeek`, which the
    marketing document's `day_of_week` comes from); empty: the weekday of `start_date`. `day_of_month`: for monthly
    rules, 1 to 31 or LAST_DAY; None: the day of `start_date`. `interval`: every N days, weeks or months, counted from
    `start_date`; weeks begin on Monday (ISO 8601). `end_date` is the last local day that may fire; None: no end.
    """

    frequency: Frequency
    time: time
    start_date: date
    end_date: date | None = None
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    day_of_month: int | None = None

    def __post_init__(self) -> None:
        wrong = dict(_problems(self))
        if wrong:
            raise BadRule(wrong)


def next_occurrence(rule: Rule, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first instant strictly after `after` at which `rule` fires in `zone`, in UTC; None when there is none.

    `after` must be aware.
    """
    return next(_instants(rule, zone, after), None)


def next_occurrences(rule: Rule, zone: ZoneInfo, after: datetime, n: int = 10) -> list[datetime]:
    """The next `n` instants after `after`, in UTC and in order; fewer when the rule ends before."""
    return list(islice(_instants(rule, zone, after), n))


def wall_clock_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which clocks of `zone` show `at` on `day`.

    The first of two; the first instant after the gap when they never show it.
    """
    local = datetime.combine(day, at.replace(fold=0), tzinfo=zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # Inside a gap fold=0 reads with the offset before the change, which lands after it, and fold=1 lands before it.
    return _change_between(local.replace(fold=1).astimezone(UTC), instant, zone)


def _problems(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.time.second or rule.time.microsecond or rule.time.tzinfo is not None:
        yield "time", _("must be hours and minutes")
    if not 1 <= rule.interval <= MAX_INTERVAL:
        yield "interval", _("must be 1 to %(most)s") % {"most": MAX_INTERVAL}
    if rule.end_date is not None and rule.end_date < rule.start_date:
        yield "end_date", _("is before the start")
    if any(not 0 <= day <= 6 for day in rule.weekdays):
        yield "weekdays", _("must be 0 (Sunday) to 6 (Saturday)")
    elif rule.weekdays and rule.frequency != Frequency.WEEKLY:
        yield "weekdays", _("belong to weekly rules only")
    if rule.day_of_month is not None:
        if rule.frequency != Frequency.MONTHLY:
            yield "day_of_month", _("belongs to monthly rules only")
        elif rule.day_of_month != LAST_DAY and not 1 <= rule.day_of_month <= 31:
            yield "day_of_month", _("must be 1 to 31, or the last day")


def _instants(rule: Rule, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    if after.tzinfo is None:
        raise ValueError("`after` must be an aware datetime")
    # Two days back: a day's instant may lie on the next local day (a gap over midnight), or the clock may be put back
    # over midnight, so that the local date of `after` comes twice.
    local = after.astimezone(zone).date()
    from_day = local - 2 * _DAY if local.toordinal() > 2 else date.min
    for day in _days(rule, max(rule.start_date, from_day)):
        if rule.end_date is not None and day > rule.end_date:
            return
        instant = wall_clock_instant(day, rule.time, zone)
        if instant > after and not _is_skipped(day, zone):
            yield instant


def _days(rule: Rule, from_day: date) -> Iterator[date]:
    """The rule's local days from `from_day` (not before the rule's start) on, in order, up to the end of calendars."""
    try:
        for day in _DAYS[rule.frequency](rule, from_day):
            if day >= from_day:
                yield day
    except OverflowError:
        return


def _once(rule: Rule, from_day: date) -> Iterator[date]:
    yield rule.start_date


def _daily(rule: Rule, from_day: date) -> Iterator[date]:
    periods = (from_day - rule.start_date).days // rule.interval
    for period in count(periods):
        yield rule.start_date + period * rule.interval * _DAY


def _weekly(rule: Rule, from_day: date) -> Iterator[date]:
    first_monday = rule.start_date - rule.start_date.weekday() * _DAY
    wanted = sorted({(day - 1) % 7 for day in rule.weekdays} or {rule.start_date.weekday()})
    periods = (from_day - first_monday).days // (7 * rule.interval)
    for period in count(periods):
        monday = first_monday + period * rule.interval * 7 * _DAY
        yield from (monday + weekday * _DAY for weekday in wanted)


def _monthly(rule: Rule, from_day: date) -> Iterator[date]:
    first = rule.start_date.year * 12 + rule.start_date.month - 1
    wanted = rule.day_of_month or rule.start_date.day
    periods = (from_day.year * 12 + from_day.month - 1 - first) // rule.interval
    for period in count(periods):
        year, month = divmod(first + period * rule.interval, 12)
        if year > date.max.year:
            return
        length = calendar.monthrange(year, month + 1)[1]
        yield date(year, month + 1, length if wanted == LAST_DAY else min(wanted, length))


_DAYS: Final = {
    Frequency.ONCE: _once,
    Frequency.DAILY: _daily,
    Frequency.WEEKLY: _weekly,
    Frequency.MONTHLY: _monthly,
}


def _is_skipped(day: date, zone: ZoneInfo) -> bool:
    """Whether clocks of `zone` never showed this date at all."""
    if day == date.max:
        return False
    return wall_clock_instant(day, time.min, zone) == wall_clock_instant(day + _DAY, time.min, zone)


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant of the clock change in (`before`, `after`], to the second."""
    offset = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * _SECOND).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return before + high * _SECOND
