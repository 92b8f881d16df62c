"""Request rates, counted in Redis in one round trip: exact however many processes and machines answer.

The algorithm is the generic cell rate algorithm (ITU-T I.371): a bucket of `limit` requests that refills evenly within
`period`. Its state is one number, the time at which the bucket would be full again. Time is Redis' own, so that
machines with different clocks agree.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import redis
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

# Times in microseconds. ARGV: interval between two requests, size of the bucket.
# Returns: allowed (1 or 0), remaining, wait until the next request may come, wait until the bucket is full.
_SCRIPT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local after = full_at + interval
local over = after - now - interval * size
if over > 0 then return {0, 0, over, full_at - now} end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor(-over / interval), 0, after - now}
"""
_SHA: Final = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
# A Redis that does not answer must not slow every request down: asked again after this time.
_REST_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class RateState:
    """Where the caller stands. `retry_after` and `full_in` in seconds; `limit` requests per period."""

    allowed: bool
    limit: int
    remaining: int
    retry_after: float
    full_in: float


@cache
def _client() -> redis.Redis:
    """One connection pool per process."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
    )


class _Breaker:
    """Remembers that Redis was down, so that not every request waits for it."""

    closed_until = 0.0


def rate_take(*, bucket: str, limit: int, period: float = 60.0) -> RateState:
    """Take one request out of `bucket`, which holds `limit` and refills within `period` seconds.

    When Redis does not answer the request is allowed, with a log line: refusing every customer would be worse than
    not counting for a while.
    """
    if time.monotonic() >= _Breaker.closed_until:
        try:
            allowed, remaining, wait, full = _ask(f"rate:{bucket}", max(1, int(period * 1_000_000 / limit)), limit)
            return RateState(bool(allowed), limit, remaining, wait / 1_000_000, full / 1_000_000)
        except redis.RedisError as error:
            _Breaker.closed_until = time.monotonic() + _REST_SECONDS
            log.warning("rate limits are not counted: Redis does not answer", error=str(error))
    return RateState(allowed=True, limit=limit, remaining=limit, retry_after=0.0, full_in=0.0)


def _ask(key: str, interval: int, size: int) -> Any:
    arguments = (1, key, interval, size)
    try:
        return _command("EVALSHA", _SHA, *arguments)
    except redis.exceptions.NoScriptError:
        # A new or emptied server: EVAL also stores the script.
        return _command("EVAL", _SCRIPT, *arguments)


class _Line(threading.local):
    """This thread's connection out of the pool: taking one out and back each time costs as much as the command."""

    connection: Any = None


_line = _Line()


def _command(*words: str | int) -> Any:
    if _line.connection is None:
        _line.connection = _client().connection_pool.get_connection()
    connection = _line.connection
    try:
        connection.send_command(*words, check_health=False)
        return connection.read_response()
    except redis.exceptions.TimeoutError:
        # Its answer may still come: on this connection it would be taken for the next command's.
        connection.disconnect()
        raise
    except redis.exceptions.ConnectionError:
        # A server that was started again leaves a dead connection behind: once more on a new one.
        connection.disconnect()
        connection.send_command(*words, check_health=False)
        return connection.read_response()
