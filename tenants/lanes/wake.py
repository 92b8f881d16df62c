"""Waking a lane: cheap enough to do after every piece of work, and safe to lose (the agenda looks again)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import redis
import structlog
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from tenants.models import AgendaItem

log = structlog.get_logger(__name__)

# While a wake-up is on its way others are not sent; the pump removes the mark before it looks at the queue.
_MARK_MS = 1000


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def _mark(kind: str, schema: str, lane_id: int) -> str:
    return f"wake:{kind}:{schema}:{lane_id}"


def wake_once(kind: str, schema: str, lane_id: int, send: Callable[[str, int], object]) -> None:
    """`send(schema, lane id)`, which starts a task, unless that was done a moment ago. Call it after the commit.

    With the broker away the work stays in the database and the agenda's next tick finds it.
    """
    try:
        if _redis().set(_mark(kind, schema, lane_id), 1, nx=True, px=_MARK_MS):
            send(schema, lane_id)
    except (redis.RedisError, OperationalError) as error:
        log.warning("wake_lost", kind=kind, schema=schema, lane=lane_id, error=str(error))
        AgendaItem.objects.filter(schema=schema, kind=kind, key=str(lane_id)).update(due_at=timezone.now())


def woken(kind: str, schema: str, lane_id: int) -> None:
    """The wake-up has arrived: from here on new work sends a new one."""
    try:
        _redis().delete(_mark(kind, schema, lane_id))
    except redis.RedisError as error:
        log.warning("wake_mark_kept", kind=kind, schema=schema, lane=lane_id, error=str(error))
