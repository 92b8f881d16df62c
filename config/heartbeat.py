"""Workers say that they live: each writes its queues into Redis from its event loop, so a stuck loop falls silent."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import redis
from celery import bootsteps
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 4.0
# Three beats may be lost before a worker counts as dead.
ALIVE_SECONDS: Final = 15


@lru_cache(maxsize=1)
def monitor_redis() -> redis.Redis:
    """The Redis client for health and metrics: short time-outs and one retry, because a probe must not hang."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=2,
        socket_connect_timeout=2,
        decode_responses=True,
        retry=Retry(NoBackoff(), 1),
    )


def beat(queues: Iterable[str], worker: str) -> None:
    """Mark that somebody consumes these queues; the mark goes by itself when nobody repeats it."""
    try:
        with monitor_redis().pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.set(_key(queue), worker, ex=ALIVE_SECONDS)
            pipeline.execute()
    except redis.RedisError as error:
        # Without Redis the probe fails anyway; the worker goes on with its work.
        log.warning("heartbeat not written", extra={"error": type(error).__name__})


def queues_alive(queues: Iterable[str]) -> dict[str, bool]:
    """Queue -> whether a worker has consumed it within ALIVE_SECONDS. Raises `redis.RedisError`."""
    names = list(queues)
    values: list[Any] = monitor_redis().mget([_key(name) for name in names])
    return {name: value is not None for name, value in zip(names, values, strict=True)}


class Heartbeat(bootsteps.StartStopStep):
    """Celery bootstep of the consumer; add it with `app.steps["consumer"].add(Heartbeat)`."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.entry: Any = None

    def start(self, parent: Any) -> None:
        """Beat now and then every BEAT_SECONDS, from the consumer's own timer."""
        self._beat(parent)
        self.entry = parent.timer.call_repeatedly(BEAT_SECONDS, self._beat, (parent,))

    def stop(self, parent: Any) -> None:
        if self.entry is not None:
            self.entry.cancel()
            self.entry = None

    shutdown = stop

    @staticmethod
    def _beat(parent: Any) -> None:
        beat([queue.name for queue in parent.task_consumer.queues], parent.hostname)


def _key(queue: str) -> str:
    return f"griot:alive:{queue}"
