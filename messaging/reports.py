"""Aggregates over counters and queues, for the APIs, the admin and the metrics. Days are UTC days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import connection

from messaging.dispatch.channel_state import daily_limit, warmup_day
from messaging.drivers.registry import driver_of
from messaging.models import Channel

# The risk score, 0 to 100, adds up the last 24 hours: the share of failures (of at least 20 sends, so that one failure
# of two does not look like a catastrophe) weighs up to 50; each spam error 10, up to 30; each quality error 5, up to
# 20; each template pause 15, up to 30. Providers throttle and block numbers for exactly these.
FAILURE_WEIGHT: Final = 50
FAILURE_BASE: Final = 20
RISK_STEPS: Final = {"spam": (10, 30), "quality": (5, 20), "template_pause": (15, 30)}


@dataclass(frozen=True, slots=True)
class ChannelDay:
    """One channel's numbers of one UTC day. `limit` and `remaining` are None when nothing caps the day."""

    date: date
    accepted: int
    sent: int
    delivered: int
    failed: int
    received: int
    limit: int | None
    remaining: int | None


@dataclass(frozen=True, slots=True)
class Risk:
    """A risk score and the parts that it adds up from: (what, count, points)."""

    score: int
    parts: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits in one channel. `oldest_seconds`: age of the first message in the queue, None when none waits."""

    queued: int
    scheduled: int
    in_doubt: int
    oldest_seconds: float | None


COUNTS_SINCE: Final = """
SELECT channel_id, metric, sum(count)::bigint FROM messaging_channelcount
WHERE channel_id = ANY(%s) AND hour >= date_trunc('hour', %s::timestamptz) GROUP BY 1, 2
"""


def counts_since(*, channel_ids: Iterable[int], since: datetime) -> dict[int, dict[str, int]]:
    """channel id -> metric -> count since `since` (to the hour). One query for all channels."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS_SINCE, [list(channel_ids), since])
        counts: dict[int, dict[str, int]] = {}
        for channel_id, metric, count in cursor.fetchall():
            counts.setdefault(channel_id, {})[metric] = count
        return counts


def day_start(now: datetime) -> datetime:
    """The beginning of the UTC day of `now`."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def channel_days(*, channels: Iterable[Channel], now: datetime | None = None) -> dict[int, ChannelDay]:
    """channel id -> today's numbers, for many channels with one query."""
    moment = now or datetime.now(UTC)
    known = {channel.pk: channel for channel in channels}
    counts = counts_since(channel_ids=known, since=day_start(moment))
    return {pk: _day(channel, counts.get(pk, {}), moment) for pk, channel in known.items()}


def _day(channel: Channel, counts: Mapping[str, int], now: datetime) -> ChannelDay:
    limit = daily_limit(
        driver=driver_of(channel.kind),
        is_sandbox=channel.is_sandbox,
        daily_cap=channel.daily_cap,
        first_live_send_at=channel.first_live_send_at,
        now=now,
    )
    sent = counts.get("sent", 0)
    return ChannelDay(
        date=now.astimezone(UTC).date(),
        accepted=counts.get("accepted", 0),
        sent=sent,
        delivered=counts.get("delivered", 0),
        failed=counts.get("failed", 0),
        received=counts.get("received", 0),
        limit=limit,
        remaining=None if limit is None else max(0, limit - sent),
    )


def channel_day(*, channel: Channel, now: datetime | None = None) -> ChannelDay:
    """Today's numbers of one channel."""
    return channel_days(channels=[channel], now=now)[channel.pk]


def channel_warmup_day(*, channel: Channel, now: datetime | None = None) -> int:
    """Whole UTC days since the channel's first live send; 0 on the first day, before it, and for sandbox channels."""
    return warmup_day(channel.first_live_send_at, now or datetime.now(UTC))


def channel_risks(*, channels: Iterable[Channel], now: datetime | None = None) -> dict[int, Risk]:
    """channel id -> risk over the last 24 hours, for many channels with one query."""
    moment = now or datetime.now(UTC)
    ids = [channel.pk for channel in channels]
    counts = counts_since(channel_ids=ids, since=moment - timedelta(hours=24))
    return {pk: _risk(counts.get(pk, {})) for pk in ids}


def _risk(counts: Mapping[str, int]) -> Risk:
    failed, sent = counts.get("failed", 0), counts.get("sent", 0)
    parts = [("failed", failed, round(FAILURE_WEIGHT * failed / max(FAILURE_BASE, failed, sent)))]
    for metric, (each, most) in RISK_STEPS.items():
        count = counts.get(metric, 0)
        parts.append((metric, count, min(most, each * count)))
    return Risk(min(100, sum(points for _, _, points in parts)), tuple(parts))


# Beyond this a queue is shown as "more than": counting a huge queue exactly would cost more than it tells.
QUEUE_COUNTED = 10_000


QUEUES: Final = """
SELECT channel.id,
  (SELECT count(*) FROM (SELECT 1 FROM messaging_message WHERE channel_id = channel.id
     AND status = 'queued' LIMIT %(most)s + 1) AS counted),
  (SELECT count(*) FROM (SELECT 1 FROM messaging_message WHERE channel_id = channel.id
     AND status = 'scheduled' LIMIT %(most)s + 1) AS counted),
  (SELECT count(*) FROM (SELECT 1 FROM messaging_message WHERE channel_id = channel.id
     AND status IN ('processing', 'in_doubt') AND status = 'in_doubt' LIMIT %(most)s + 1) AS counted),
  -- Only within one priority are messages in the order of their age.
  (SELECT EXTRACT(EPOCH FROM GREATEST(now() - min(first.queued_at), interval '0'))::float8
   FROM unnest(ARRAY[0, 5, 10, 30]) AS class(priority)
   CROSS JOIN LATERAL (SELECT queued_at FROM messaging_message
       WHERE channel_id = channel.id AND status = 'queued' AND priority = class.priority
       ORDER BY id LIMIT 1) AS first
   HAVING count(*) > 0)
FROM unnest(%(ids)s::bigint[]) AS channel(id)
"""


def queue_states(*, channel_ids: Iterable[int]) -> dict[int, QueueState]:
    """channel id -> what waits; every count stops at QUEUE_COUNTED and uses the partial indexes of the open states."""
    with connection.cursor() as cursor:
        cursor.execute(QUEUES, {"ids": list(channel_ids), "most": QUEUE_COUNTED})
        return {row[0]: QueueState(*row[1:]) for row in cursor.fetchall()}
