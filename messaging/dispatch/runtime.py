"""The engine inside a worker process: every channel's lane on one event loop, with one HTTP client for all."""

from __future__ import annotations

import asyncio
import threading

from django.conf import settings

from config.metrics import counter_add
from messaging.dispatch.congestion import Congestion
from messaging.dispatch.lane import OUTCOMES, Lane
from messaging.dispatch.memory import Memory, memory_forget
from messaging.dispatch.transport import Transport
from tenants.agenda import process_name
from tenants.lanes.database import LaneDatabase
from tenants.lanes.runtime import LaneRuntime


class Engine(LaneRuntime):
    """All channels that this process pumps."""

    def __init__(self) -> None:
        super().__init__(name="dispatch", connections=settings.DISPATCH_CONNECTIONS)
        self._memory: Memory = {}
        self._congestion = Congestion(settings.DISPATCH_CONCURRENCY)

    async def open(self) -> None:
        self._transport = Transport(timeout=settings.SEND_TIMEOUT_SECONDS)
        self._watch = asyncio.create_task(self._congestion.watch(lambda: len(self._tasks) > 1, self._database.delay))

    async def close(self) -> None:
        self._watch.cancel()
        await self._transport.close()

    def lane(self, schema: str, lane_id: int, database: LaneDatabase) -> Lane:
        return Lane(
            schema=schema,
            channel_id=lane_id,
            database=database,
            transport=self._transport,
            owner=process_name(),
            memory=self._memory,
            congestion=self._congestion,
        )

    def report(self) -> None:
        memory_forget(self._memory)
        for outcome in list(OUTCOMES):
            counter_add("griot_messages", outcome, OUTCOMES.pop(outcome))


_engine: Engine | None = None
_engine_lock = threading.Lock()


def engine() -> Engine:
    """This process's engine, started on first use."""
    global _engine
    with _engine_lock:
        if _engine is None:
            _engine = Engine().start()
        return _engine


def engine_stop() -> None:
    """Stop this process's engine if it runs; the next `engine()` starts a new one."""
    global _engine
    with _engine_lock:
        current, _engine = _engine, None
    if current is not None:
        current.stop()
