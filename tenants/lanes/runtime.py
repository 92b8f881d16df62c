"""Lanes inside a worker process: one event loop in its own thread, one small pool of database connections.

A Celery task only hands a lane to this loop. All lanes of the process share it, so five hundred slow ones need no five
hundred threads, and a process never has more than its pool's number of database connections for pumping.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any, Protocol, Self

import structlog
from django.conf import settings
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tenants.lanes.database import LaneDatabase

log = structlog.get_logger(__name__)

STOP_SECONDS = 30
REPORT_EVERY = 5
# Prepared statements per connection: those of about fifty busy organisations, some 50 KiB each on the server.
_PREPARED = 400

Key = tuple[str, int]


class PumpedLane(Protocol):
    """What the runtime asks of a lane."""

    async def run(self) -> bool:
        """Take the lane and pump it until nothing is left; False when somebody else holds it."""

    def look(self) -> None:
        """Somebody says that there is more work."""

    def stop(self) -> None:
        """Take nothing more; what is under way is finished."""


def connection_string() -> str:
    """The database of the default connection (in tests: the test database) as a libpq string."""
    from django.db import connection
    from psycopg.conninfo import make_conninfo

    parameters = connection.get_connection_params()
    wanted = ("host", "port", "dbname", "user", "password", "sslmode", "sslrootcert")
    return make_conninfo(**{name: parameters[name] for name in wanted if parameters.get(name)})


async def _configure(connection: AsyncConnection[Any]) -> None:
    """Plan each statement of an organisation once per connection, for any values.

    Planning the large ones takes as long as running them, and by default a statement is planned eleven times before its
    plan is kept. The kept one may be made while a table is empty and used when it has grown, so it must not read all of
    it. Behind a pooler a setting would stay with somebody else's connection; there plans are made anew each time.
    """
    if settings.DATABASE_POOLING == "none":
        connection.prepared_max = _PREPARED
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute("SET enable_seqscan = off")


class LaneRuntime:
    """All lanes of one kind in this process. `pump()` may be called from any thread.

    A subclass says what a lane is (`lane`) and what the lanes share (`open`, `close`, `report`).
    """

    def __init__(self, *, name: str, connections: int) -> None:
        self._name = name
        self._connections = connections
        self._lanes: dict[Key, PumpedLane] = {}
        self._handed: deque[Key] = deque()
        self._again: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def lane(self, schema: str, lane_id: int, database: LaneDatabase) -> PumpedLane:
        """The lane to run. Called on the loop."""
        raise NotImplementedError

    async def open(self) -> None:
        """Make what all lanes share, on the loop."""

    async def close(self) -> None:
        """Close it."""

    def report(self) -> None:
        """Pass figures on to the metrics; called every few seconds, in a thread."""

    def start(self) -> Self:
        """Start the loop; returns when it is ready for lanes."""
        self._dsn = connection_string()
        self._thread.start()
        self._ready.wait()
        return self

    def pump(self, schema: str, lane_id: int) -> None:
        """Have the lane pumped; returns at once. One that is pumped here already looks again."""
        self._handed.append((schema, lane_id))
        self._loop.call_soon_threadsafe(self._begin)

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Take nothing more, finish what is under way, give the lanes back, close everything."""
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
        self._pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            self._dsn,
            min_size=1,
            max_size=self._connections,
            open=False,
            kwargs={
                "autocommit": True,
                "application_name": f"griot-{self._name}",
                # From the second use on, or never: behind a pooler a prepared statement may be on another connection.
                "prepare_threshold": 1 if settings.DATABASE_PREPARE else None,
            },
            configure=_configure,
            timeout=30,
            # PostgreSQL's process for a connection remembers every table that it has seen, of every organisation.
            max_lifetime=float(settings.DATABASES["default"]["CONN_MAX_AGE"] or 600),
            name=self._name,
        )
        await self._pool.open()
        # Half of them: the others are for transactions of a lane's own.
        self._database = LaneDatabase(self._pool, under_way=max(1, self._connections // 2))
        await self.open()
        self._reporter = self._loop.create_task(self._report())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY)
            await asyncio.to_thread(self.report)

    def _begin(self) -> None:
        key = self._handed.popleft()
        if self._stopping:
            return
        if key in self._lanes:
            # It may be past its last look at the queue: have it look once more.
            self._lanes[key].look()
            self._again.add(key)
            return
        task = self._loop.create_task(self._keep_pumping(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_pumping(self, key: Key) -> None:
        schema, lane_id = key
        try:
            while not self._stopping:
                self._again.discard(key)
                self._lanes[key] = lane = self.lane(schema, lane_id, self._database)
                await lane.run()
                if key not in self._again:
                    return
        except Exception:
            # The lane's lease ends by itself and the agenda wakes it again; the log says why it stopped.
            log.exception("lane_stopped", kind=self._name, schema=schema, lane=lane_id)
        finally:
            self._lanes.pop(key, None)

    async def _drain(self, timeout: float) -> None:
        for lane in list(self._lanes.values()):
            lane.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
        self._reporter.cancel()
        await asyncio.to_thread(self.report)
        await self.close()
        await self._pool.close()
