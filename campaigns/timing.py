"""When each recipient may be written to: their time zone, the time of the schedule on their clock, quiet hours.

Pure functions, without a clock and without a database. An instant is UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from phonenumbers.tzdata import TIMEZONE_DATA

from campaigns.recurrence import wall_clock_instant
from config.time_zones import time_zone_names

# The zones in which a day begins first and last: a run on the recipients' clocks starts with the first.
EARLIEST_ZONE: Final = ZoneInfo("Pacific/Kiritimati")
_DAY: Final = timedelta(days=1)
_REFERENCE: Final = datetime(2025, 1, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Local hours in which nothing is sent: from `start` until `end`, over midnight when `end` is earlier."""

    start: time
    end: time

    def includes(self, clock: time) -> bool:
        """Whether `clock` is quiet; `end` itself is not."""
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def end_after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """`instant` itself when it is not quiet in `zone`, else the end of the quiet hours that it lies in."""
        local = instant.astimezone(zone)
        if not self.includes(local.time()):
            return instant
        day = local.date() if local.time() < self.end else local.date() + _DAY
        return max(instant, wall_clock_instant(day, self.end, zone))

    def begin_within(self, after: datetime, until: datetime, zone: ZoneInfo) -> bool:
        """Whether quiet hours begin in `zone` in (`after`, `until`]."""
        day = after.astimezone(zone).date()
        while True:
            start = wall_clock_instant(day, self.start, zone)
            if start > until:
                return False
            if start > after:
                return True
            day += _DAY


def quiet_hours(start: time | None, end: time | None) -> QuietHours | None:
    """Quiet hours when both ends are given and differ."""
    return None if start is None or end is None or start == end else QuietHours(start, end)


def recipient_due(
    *, now: datetime, zone: ZoneInfo, local_time: tuple[date, time] | None, quiet: QuietHours | None
) -> datetime | None:
    """When a recipient in `zone` is written to; None: at once.

    `local_time`: the schedule's day and time, to be met on the recipient's clock; past ones count as now.
    """
    due = now if local_time is None else max(now, wall_clock_instant(*local_time, zone))
    if quiet is not None:
        due = quiet.end_after(due, zone)
    return None if due <= now else due


def due_by_zone(
    *,
    now: datetime,
    zones: Sequence[str],
    local_time: tuple[date, time] | None,
    quiet: QuietHours | None,
) -> dict[str, datetime]:
    """Zone name -> when recipients there are written to; zones that may be written to at once are left out."""
    due = {}
    for name in zones:
        instant = recipient_due(now=now, zone=ZoneInfo(name), local_time=local_time, quiet=quiet)
        if instant is not None:
            due[name] = instant
    return due


def quiet_begins(*, quiet: QuietHours, zones: Sequence[str], after: datetime, until: datetime) -> list[str]:
    """The zones in which quiet hours begin in (`after`, `until`]."""
    return [name for name in zones if quiet.begin_within(after, until, ZoneInfo(name))]


@lru_cache(maxsize=1)
def all_zones() -> tuple[str, ...]:
    """Every zone that a contact may have, in order."""
    return tuple(sorted(name for name in time_zone_names() if "/" in name or name == "UTC"))


@lru_cache(maxsize=256)
def zones_of_prefixes(preferred: str) -> Mapping[str, str]:
    """Beginning of a phone number (country code and more) -> time zone, from the phonenumbers data.

    A prefix may span several zones (+33, mobile numbers of +1): then `preferred` (the campaign's own) when it is one of
    them, else the middle one by its offset, so that nobody is off by more than necessary. Prefixes that say the same as
    a shorter one are left out.
    """
    chosen: dict[str, str] = {}
    for prefix in sorted(TIMEZONE_DATA, key=len):
        zone = _middle(TIMEZONE_DATA[prefix], preferred)
        if zone is not None and _longest(chosen, prefix) != zone:
            chosen[prefix] = zone
    return chosen


def zone_of_phone(digits: str, preferred: str) -> str:
    """The time zone of a phone number (E.164 digits without +); `preferred` when its country is not known."""
    return _longest(zones_of_prefixes(preferred), digits) or preferred


def _longest(known: Mapping[str, str], digits: str) -> str | None:
    return next((known[digits[:end]] for end in range(len(digits), 0, -1) if digits[:end] in known), None)


def _middle(names: Sequence[str], preferred: str) -> str | None:
    if preferred in names:
        return preferred
    known = set(all_zones())
    usable = [name for name in names if name in known]
    by_offset = sorted(usable, key=lambda name: (_REFERENCE.astimezone(ZoneInfo(name)).utcoffset(), name))
    return by_offset[len(by_offset) // 2] if by_offset else None
