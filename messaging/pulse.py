"""What is going on in channels right now: what waits, why it waits, how fast it goes, what went wrong of late.

Bounded whatever the size of the tables: counts stop at 10,000, errors come from the newest failures only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.utils import timezone

from messaging.dispatch.channel_state import next_utc_day
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.reports import ChannelDay, QueueState, channel_days, queue_states
from tenants.agenda import LANE
from tenants.connection import connection
from tenants.models import AgendaItem, ChannelHealth

# A lane that nobody has taken for so long after its time has no worker; ticks wake it every five seconds.
LATE: Final = timedelta(seconds=30)
# A rate that was measured longer ago says nothing about now.
FRESH: Final = timedelta(seconds=30)
_ERRORS_SHOWN: Final = 5
# The failures of the last 24 hours, among the newest so many of the organisation.
_LOOKED_AT: Final = 2_000

_ERRORS: Final = """
SELECT channel_id, code, reason, count(*), max(at) FROM (
    SELECT channel_id, error_code AS code, error_reason AS reason, failed_at AS at FROM (
        SELECT channel_id, error_code, error_reason, failed_at FROM messaging_message
        WHERE status = 'failed' ORDER BY id DESC LIMIT %(most)s) AS failed
    UNION ALL
    SELECT message.channel_id, attempt.code, attempt.reason, attempt.at FROM (
        SELECT message_id, code, reason, at, outcome FROM messaging_sendattempt
        ORDER BY id DESC LIMIT %(most)s) AS attempt
    JOIN messaging_message message ON message.id = attempt.message_id
    WHERE attempt.outcome IN ('retry', 'in_doubt')) AS trouble
WHERE at > %(since)s AND channel_id = ANY(%(ids)s) AND code <> ''
GROUP BY channel_id, code, reason ORDER BY count(*) DESC, max(at) DESC
"""


class Wait(StrEnum):
    """Why messages wait."""

    NOTHING = "nothing"
    SUSPENDED = "suspended"
    NOT_CONNECTED = "not_connected"
    CAP = "cap"
    NO_WORKER = "no_worker"
    RATE = "rate"
    TURN = "turn"
    SCHEDULED = "scheduled"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of error: how often it came in the last 24 hours, and when last."""

    code: str
    reason: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelPulse:
    """One channel now. `rate`: messages per minute of late; `until`: when what it waits for is over, where known."""

    channel: Channel
    queue: QueueState
    day: ChannelDay
    rate: float
    wait: Wait
    until: datetime | None
    errors: tuple[Trouble, ...]

    @property
    def waits(self) -> int:
        """Messages that wait for anything, as far as they are counted."""
        return self.queue.queued + self.queue.scheduled + self.queue.in_doubt


def channel_pulses(*, channels: Iterable[Channel], organization_active: bool, worker_alive: bool) -> list[ChannelPulse]:
    """The pulse of each channel of the current schema, in six queries however many channels there are.

    `worker_alive`: whether any process consumes the queue of the dispatch workers.
    """
    rows = list(channels)
    ids = [channel.pk for channel in rows]
    now = timezone.now()
    queues, days, errors = queue_states(channel_ids=ids), channel_days(channels=rows, now=now), _errors(ids, now)
    lanes = {
        int(item.key): item
        for item in AgendaItem.objects.filter(
            schema=connection.schema_name, kind=LANE, key__in=[str(pk) for pk in ids]
        ).only("key", "due_at", "leased_until")
    }
    seen = ChannelHealth.objects.filter(organization__schema_name=connection.schema_name, channel_id__in=ids)
    rates = {row.channel_id: row.rate for row in seen if row.measured_at > now - FRESH}
    found = []
    for channel in rows:
        wait, until = _wait(
            channel,
            queues[channel.pk],
            days[channel.pk],
            lanes.get(channel.pk),
            now,
            organization_active=organization_active,
            worker_alive=worker_alive,
        )
        rate = rates.get(channel.pk, 0.0)
        found.append(
            ChannelPulse(channel, queues[channel.pk], days[channel.pk], rate, wait, until, errors.get(channel.pk, ()))
        )
    return found


def _errors(ids: list[int], now: datetime) -> Mapping[int, tuple[Trouble, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_ERRORS, {"ids": ids, "most": _LOOKED_AT, "since": now - timedelta(hours=24)})
        found: dict[int, tuple[Trouble, ...]] = {}
        for channel_id, *trouble in cursor.fetchall():
            known = found.get(channel_id, ())
            if len(known) < _ERRORS_SHOWN:
                found[channel_id] = (*known, Trouble(*trouble))
        return found


def _wait(
    channel: Channel,
    queue: QueueState,
    day: ChannelDay,
    lane: AgendaItem | None,
    now: datetime,
    *,
    organization_active: bool,
    worker_alive: bool,
) -> tuple[Wait, datetime | None]:
    """The first reason that keeps messages from leaving, and its end where it is known."""
    if not organization_active:
        return Wait.SUSPENDED, None
    if channel.status != Channel.Status.CONNECTED:
        return Wait.NOT_CONNECTED, None
    if queue.queued:
        if day.remaining == 0:
            return Wait.CAP, next_utc_day(now)
        if _nobody_comes(lane, now) or not worker_alive:
            return Wait.NO_WORKER, None
        return (Wait.RATE if _is_paced(channel) else Wait.TURN), None
    if queue.in_doubt:
        return Wait.DOUBT, None
    return (Wait.SCHEDULED if queue.scheduled else Wait.NOTHING), None


def _nobody_comes(lane: AgendaItem | None, now: datetime) -> bool:
    """Whether the lane's time has passed and nobody holds it. A tick moves the time on when it wakes it, by seconds."""
    if lane is None or lane.due_at is None:
        return lane is None
    held = lane.leased_until is not None and lane.leased_until > now
    return not held and lane.due_at < now - LATE


def _is_paced(channel: Channel) -> bool:
    rate = driver_of(channel.kind).default_rate if channel.rate_per_second is None else channel.rate_per_second
    return rate > 0
