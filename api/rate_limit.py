"""Request rates, counted in Redis in one round trip: exact however many processes and machines answer.

The algorithm is the generic cell rate algorithm (ITU-T I.371): a bucket of `limit` requests that refills evenly within
`period`. Its state is one number, the time at which the bucket would be full again. Time is Redis' own, so that
machines with different clocks agree.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

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
# More than the threads of a process: running out of connections would count as "Redis is away".
_MAX_CONNECTIONS: Final = 1000


@dataclass(frozen=True, slots=True)
class RateState:
    """Where the caller stands. `retry_after` and `full_in` in seconds; `limit` requests per period."""

    allowed: bool
    limit: int
    remaining: int
    retry_after: float
    full_in: float


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
    client = _client()
    try:
        return client.evalsha(_SHA, 1, key, str(interval), str(size))
    except redis.exceptions.NoScriptError:
        # A new or emptied server: EVAL also stores the script.
        return client.eval(_SCRIPT, 1, key, str(interval), str(size))


@cache
def _client() -> redis.Redis:
    """One connection pool per process. No second tries: after a time-out the request may have been counted already."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=_MAX_CONNECTIONS,
    )
