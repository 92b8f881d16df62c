"""A lane's way to the database: statements on pooled connections, results written down, an absence waited out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import orjson
import structlog
from psycopg import OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from messaging.dispatch import sql
from messaging.dispatch.outcomes import Result

log = structlog.get_logger(__name__)
T = TypeVar("T")

# The database is away, restarts, or cut this connection. Deadlocks and cancelled statements are among them.
DATABASE_AWAY = (OperationalError, PoolTimeout)
# About ten minutes.
_ATTEMPTS = 120
_LONGEST_PAUSE = 5.0


class DatabaseGone(Exception):
    """The database stayed away; what was to be written is lost, and the next owner of the lane finds it in doubt."""


class Store:
    """The statements of one channel of one organisation. `fence` is that of the lease in force."""

    def __init__(self, *, schema: str, channel_id: int, pool: AsyncConnectionPool[Any]) -> None:
        self.schema = schema
        self.channel_id = channel_id
        self.sql = sql.statements(schema)
        self._pool = pool

    async def execute(self, query: str | bytes, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own; its rows, if it has any."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query, params)
            return await cursor.fetchall() if cursor.description else []

    async def insist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it as soon as the database is there. `act` must be safe to repeat: the answer to its commit may be lost.

        Raises DatabaseGone after about ten minutes.
        """
        attempt = 0
        while True:
            try:
                return await act()
            except DATABASE_AWAY as error:
                if attempt >= _ATTEMPTS:
                    raise DatabaseGone(str(error)) from error
                log.warning("waiting_for_database", schema=self.schema, channel=self.channel_id, error=str(error))
            await asyncio.sleep(min(0.2 * 2**attempt, _LONGEST_PAUSE))
            attempt += 1
            # One broken connection is seldom alone: the others would fail one after the other.
            await self._pool.check()

    async def settle(self, results: Sequence[Result], *, fence: int, pause: str, is_first: bool) -> None:
        """Write results down, with opt-outs, the channel's pause for a reason, and its first live send, all or none."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(self.sql.settle, self._settle_params(results, fence))
            opt_outs = [result.opt_out for result in results if result.opt_out]
            if opt_outs:
                await connection.execute(self.sql.suppress, {"addresses": opt_outs, "note": "Reported by the provider"})
            if pause:
                await connection.execute(self.sql.pause, {"channel": self.channel_id, "reason": pause[:300]})
            if is_first:
                await connection.execute(self.sql.first_send, {"channel": self.channel_id})

    def _settle_params(self, results: Sequence[Result], fence: int) -> dict[str, Any]:
        return {
            "channel": self.channel_id,
            "fence": fence,
            # One JSON text costs a fraction of seven arrays, on both sides.
            "results": orjson.dumps(
                [
                    {
                        "id": result.id,
                        "status": result.status,
                        "provider_id": result.provider_id,
                        "code": result.code,
                        "reason": result.reason,
                        "delay": result.delay,
                        "left_at": result.left_at,
                        "risks": result.risks or None,
                    }
                    for result in results
                ]
            ).decode(),
        }
