"""Waking a lane: cheap enough to do after every piece of work, and safe to lose (the agenda looks again).

Who makes work adds the lane to the set of its kind; only when no task is on its way does it start one. A task takes all
lanes out of the set and goes on doing so for a moment, so five hundred lanes with a message a second each cost a few
tasks a second and not five hundred.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache

import redis
import structlog
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from tenants.models import AgendaItem

log = structlog.get_logger(__name__)

# While the mark is there, a task is on its way or at work. It goes away by itself, because a task may be lost.
_MARK_MS = 1000
# A task looks for more lanes this often, until there are none, and for at most this long: others want their turn.
_LOOK_SECONDS = 0.01
_STAY_SECONDS = 0.5
# Taken out at once; the rest is for another process's task.
_TAKEN_AT_ONCE = 100


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def _keys(kind: str) -> tuple[str, str]:
    return f"wake:{kind}:lanes", f"wake:{kind}:mark"


def wake_once(kind: str, schema: str, lane_id: int, send: Callable[[str, int], object]) -> None:
    """Have the lane pumped: `send(schema, lane id)` starts a task, unless one is on its way. Call it after the commit.

    With the broker away the work stays in the database and the agenda's next tick finds it.
    """
    lanes, mark = _keys(kind)
    try:
        # In this order: a task removes the mark before it looks into the set, so who finds the mark will be found.
        pipe = _redis().pipeline(transaction=False)
        pipe.sadd(lanes, f"{schema}:{lane_id}")
        pipe.set(mark, 1, nx=True, px=_MARK_MS)
        if pipe.execute()[1]:
            send(schema, lane_id)
    except (redis.RedisError, OperationalError) as error:
        log.warning("wake_lost", kind=kind, schema=schema, lane=lane_id, error=str(error))
        AgendaItem.objects.filter(schema=schema, kind=kind, key=str(lane_id)).update(due_at=timezone.now())


def lanes_woken(kind: str, schema: str, lane_id: int, send: Callable[[str, int], object]) -> Iterator[tuple[str, int]]:
    """For the task that `send` starts: its own lane, then all others that are woken, as (schema, lane id).

    Goes on for half a second while there are some. With Redis away the agenda's tick wakes what is left.
    """
    yield schema, lane_id
    own = f"{schema}:{lane_id}"
    until = time.monotonic() + _STAY_SECONDS
    try:
        while time.monotonic() < until and (names := _taken(kind, is_last=False)):
            yield from (_lane(name) for name in names if name != own)
            own = ""
            time.sleep(_LOOK_SECONDS)
        names = _taken(kind, is_last=True)
        yield from (_lane(name) for name in names if name != own)
        if len(names) == _TAKEN_AT_ONCE:
            send(*_lane(names[-1]))
    except (redis.RedisError, OperationalError) as error:
        log.warning("wake_ups_not_read", kind=kind, error=str(error))


def _taken(kind: str, *, is_last: bool) -> list[str]:
    """Take lanes out of the set. Before the last time the mark is removed: from then on new work sends a new task."""
    lanes, mark = _keys(kind)
    pipe = _redis().pipeline(transaction=False)
    if is_last:
        pipe.delete(mark)
    else:
        pipe.pexpire(mark, _MARK_MS)
    pipe.spop(lanes, _TAKEN_AT_ONCE)
    return [name.decode() for name in pipe.execute()[1]]


def _lane(name: str) -> tuple[str, int]:
    schema, _, lane_id = name.rpartition(":")
    return schema, int(lane_id)
