"""Waking a lane: cheap enough to do after every accepted message, and safe to lose (the agenda looks again)."""

from __future__ import annotations

from functools import cache

import redis
import structlog
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from tenants.agenda import LANE, lane_waker
from tenants.models import AgendaItem

log = structlog.get_logger(__name__)

# While a wake-up is on its way others are not sent; the engine removes the mark before it looks at the queue.
_MARK_MS = 1000


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def _mark(schema: str, channel_id: int) -> str:
    return f"wake:{schema}:{channel_id}"


def lane_wake(schema: str, channel_id: int) -> None:
    """Tell a dispatch worker that the channel has work. Called after the commit that made the work.

    With the broker away the message stays queued and the agenda's next tick finds it.
    """
    from messaging.dispatch.tasks import pump

    try:
        if _redis().set(_mark(schema, channel_id), 1, nx=True, px=_MARK_MS):
            pump.delay(schema, channel_id)
    except (redis.RedisError, OperationalError) as error:
        log.warning("wake_lost", schema=schema, channel=channel_id, error=str(error))
        AgendaItem.objects.filter(schema=schema, kind=LANE, key=str(channel_id)).update(due_at=timezone.now())


def lane_woken(schema: str, channel_id: int) -> None:
    """The wake-up has arrived: from here on a new message sends a new one."""
    try:
        _redis().delete(_mark(schema, channel_id))
    except redis.RedisError as error:
        log.warning("wake_mark_kept", schema=schema, channel=channel_id, error=str(error))


@lane_waker
def lane_wake_again(schema: str, channel_id: int) -> None:
    """The agenda's wake-up: always sent, because an earlier one may be lost."""
    from messaging.dispatch.tasks import pump

    pump.delay(schema, channel_id)
