"""How long sending will take: arithmetic over rate, what is ahead in the queue, time zones, quiet hours, daily caps.

Pure: no clock, no database. The same assumptions as the engine's: one lane sends at its rate whatever the hour, from
whatever may be sent, and a daily cap counts UTC days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from campaigns.timing import QuietHours

# Nobody plans further; what is not done by then has no end that is worth telling.
HORIZON: Final = timedelta(days=60)
_STEP: Final = timedelta(minutes=15)
_DAY: Final = timedelta(days=1)
# Counts are halved and projected: less than this is none.
_NOTHING: Final = 1e-6


@dataclass(slots=True)
class Batch:
    """Messages that may be sent from `release` on, outside of the quiet hours of `zone` (None: the campaign's)."""

    count: float
    release: datetime
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Forecast:
    """`starts_at`: the first message leaves; `ends_at`: the last one has left; None beyond the horizon."""

    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(slots=True)
class Course:
    """Conditions of sending. `rate`: messages per second, 0 for no limit of ours.

    `ahead`: messages that the channel sends first. `cap`: what may be sent on the UTC day of a moment, None for no cap;
    `sent_today` counts against the first day.
    """

    now: datetime
    rate: float
    ahead: float = 0
    quiet: QuietHours | None = None
    cap: Callable[[datetime], int | None] = field(default=lambda _: None)
    sent_today: int = 0


def forecast(batches: Sequence[Batch], course: Course) -> Forecast:
    """When the first and the last message leave, walking through time from event to event."""
    waiting = [Batch(batch.count, max(batch.release, course.now), batch.zone) for batch in batches if batch.count > 0]
    moment, ahead = course.now, course.ahead
    starts: datetime | None = None
    ends = course.now
    left_today = _cap_left(course, moment, course.sent_today)
    while waiting:
        if moment > course.now + HORIZON:
            return Forecast(starts, None)
        until = _next_event(moment, waiting)
        room = left_today if not course.rate else min(left_today, (until - moment).total_seconds() * course.rate)
        first = min(ahead, room)
        ready = [batch for batch in waiting if _may_send(batch, moment, course)]
        sent = _send(ready, room - first)
        if sent:
            starts = starts or moment + _took(first, course)
            ends = moment + _took(first + sent, course)
        ahead -= first
        left_today -= first + sent
        waiting = [batch for batch in waiting if batch.count > _NOTHING]
        if until.astimezone(UTC).date() != moment.astimezone(UTC).date():
            left_today = _cap_left(course, until, 0)
        moment = until
    return Forecast(starts, ends if starts else None)


def _took(count: float, course: Course) -> timedelta:
    return timedelta(seconds=count / course.rate) if course.rate else timedelta(0)


def _may_send(batch: Batch, moment: datetime, course: Course) -> bool:
    if batch.release > moment:
        return False
    return course.quiet is None or course.quiet.end_after(moment, batch.zone) <= moment


def _next_event(moment: datetime, waiting: Sequence[Batch]) -> datetime:
    """The next release, quarter of an hour (quiet hours begin and end on them) or UTC midnight."""
    quarter = moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0) + _STEP
    releases = [batch.release for batch in waiting if batch.release > moment]
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    return min([quarter, midnight, *releases])


def _send(ready: Sequence[Batch], room: float) -> float:
    """Take up to `room` from the batches, the first ones first; returns how many."""
    sent = 0.0
    for batch in ready:
        part = min(batch.count, room - sent)
        batch.count -= part
        sent += part
        if sent >= room:
            break
    return sent


def _cap_left(course: Course, moment: datetime, sent: int) -> float:
    cap = course.cap(moment)
    return float("inf") if cap is None else max(0, cap - sent)
