"""The engine inside a worker process: one event loop in its own thread, one small pool of connections, one client.

A Celery task only hands a lane to this loop. All lanes of the process share it, so five hundred slow channels need no
five hundred threads, and a process never has more than `DISPATCH_CONNECTIONS` database connections for sending.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any

import structlog
from django.conf import settings
from psycopg_pool import AsyncConnectionPool

from config.metrics import counter_add
from messaging.dispatch.lane import OUTCOMES, Lane
from messaging.dispatch.transport import Transport
from tenants.agenda import process_name

log = structlog.get_logger(__name__)

STOP_SECONDS = 30
REPORT_EVERY = 5


def connection_string() -> str:
    """The database of the default connection (in tests: the test database) as a libpq string."""
    from django.db import connection
    from psycopg.conninfo import make_conninfo

    parameters = connection.get_connection_params()
    wanted = ("host", "port", "dbname", "user", "password", "sslmode", "sslrootcert")
    return make_conninfo(**{name: parameters[name] for name in wanted if parameters.get(name)})


def _outcomes_report() -> None:
    for outcome in list(OUTCOMES):
        counter_add("griot_messages", outcome, OUTCOMES.pop(outcome))


class Engine:
    """All lanes of this process. `pump()` may be called from any thread."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._handed: deque[tuple[str, int]] = deque()
        self._again: set[tuple[str, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> Engine:
        """Start the loop; returns when it is ready for lanes."""
        self._dsn = connection_string()
        self._thread.start()
        self._ready.wait()
        return self

    def pump(self, schema: str, channel_id: int) -> None:
        """Have the lane of (schema, channel) pumped; returns at once. One that is pumped here already looks again."""
        self._handed.append((schema, channel_id))
        self._loop.call_soon_threadsafe(self._begin)

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Claim nothing more, finish what is under way, give the lanes back, close everything."""
        if self._stopping or not self._thread.is_alive():
            return
        self._stopping = True
        asyncio.run_coroutine_threadsafe(self._drain(timeout), self._loop).result(timeout + 5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def idle(self) -> bool:
        """Whether no lane is being pumped here."""
        return not self._handed and not self._tasks

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()
        self._loop.close()

    async def _open(self) -> None:
        size = settings.DISPATCH_CONNECTIONS
        self._pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            self._dsn,
            min_size=1,
            max_size=size,
            open=False,
            kwargs={"autocommit": True, "application_name": "griot-dispatch"},
            timeout=30,
            name="dispatch",
        )
        await self._pool.open()
        self._transport = Transport(timeout=settings.SEND_TIMEOUT_SECONDS)
        self._reporter = self._loop.create_task(self._report())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY)
            await asyncio.to_thread(_outcomes_report)

    def _begin(self) -> None:
        key = self._handed.popleft()
        if self._stopping:
            return
        if key in self._lanes:
            # It may be past its last look at the queue: have it look once more.
            self._again.add(key)
            return
        task = self._loop.create_task(self._keep_pumping(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_pumping(self, key: tuple[str, int]) -> None:
        schema, channel_id = key
        try:
            while not self._stopping:
                self._again.discard(key)
                self._lanes[key] = lane = Lane(
                    schema=schema,
                    channel_id=channel_id,
                    pool=self._pool,
                    transport=self._transport,
                    owner=process_name(),
                )
                await lane.run()
                if key not in self._again:
                    return
        except Exception:
            # The lane's lease ends by itself and the agenda wakes it again; the log says why it stopped.
            log.exception("lane_stopped", schema=schema, channel=channel_id)
        finally:
            self._lanes.pop(key, None)

    async def _drain(self, timeout: float) -> None:
        for lane in list(self._lanes.values()):
            lane.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
        self._reporter.cancel()
        await asyncio.to_thread(_outcomes_report)
        await self._transport.close()
        await self._pool.close()


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
