"""A channel's lane and the database: results written down, and webhook endpoints told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from psycopg.errors import UniqueViolation
from psycopg_pool import AsyncConnectionPool

from messaging.dispatch import sql
from messaging.dispatch.outcomes import Result
from tenants.lanes.store import DATABASE_AWAY, DatabaseGone, LaneStore
from webhooks_app.wake import endpoints_wake

__all__ = ["DATABASE_AWAY", "DatabaseGone", "Store"]


class Store(LaneStore):
    """The statements of one channel of one organisation. `fence` is that of the lease in force."""

    def __init__(self, *, schema: str, channel_id: int, pool: AsyncConnectionPool[Any]) -> None:
        super().__init__(schema=schema, lane_id=channel_id, pool=pool)
        self.channel_id = channel_id
        self.sql = sql.statements(schema)

    async def settle(self, results: Sequence[Result], *, fence: int, pause: str, is_first: bool) -> None:
        """Write results down, with opt-outs, the channel's pause for a reason, and its first live send, all or none."""
        write = partial(self._write, results, fence=fence, pause=pause, is_first=is_first)
        try:
            await write()
        except UniqueViolation:
            # An echo was quicker than the answer and not recognised: the message itself is what counts.
            provider_ids = [result.provider_id for result in results if result.provider_id]
            await self.execute(self.sql.forget_echo, {"channel": self.channel_id, "provider_ids": provider_ids})
            await write()

    async def _write(self, results: Sequence[Result], *, fence: int, pause: str, is_first: bool) -> None:
        params = self._settle_params(results, fence)
        opt_outs = [result.opt_out for result in results if result.opt_out]
        if not (opt_outs or pause or is_first):
            # One statement is a transaction already: BEGIN and COMMIT would be two more round trips.
            rows = await self.execute(self.sql.settle, params)
            await self._tell(rows[0])
            return
        told_of_pause: tuple[Any, ...] | None = None
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(self.sql.settle, params)
            told = await cursor.fetchone()
            if opt_outs:
                await connection.execute(self.sql.suppress, {"addresses": opt_outs, "note": "Reported by the provider"})
            if pause:
                cursor = await connection.execute(self.sql.pause, {"channel": self.channel_id, "reason": pause[:300]})
                told_of_pause = await cursor.fetchone()
            if is_first:
                await connection.execute(self.sql.first_send, {"channel": self.channel_id})
        await self._tell(told)
        await self._tell(told_of_pause)

    async def take_up(self, params: dict[str, Any]) -> None:
        """What has come due becomes work; doubt that nobody resolved is decided."""
        rows = await self.execute(self.sql.due, params)
        await self._tell(rows[0])

    async def _tell(self, told: tuple[Any, ...] | None) -> None:
        """Wake the webhook endpoints that a statement wrote deliveries for, if any."""
        if told is not None and told[0]:
            await asyncio.to_thread(endpoints_wake, self.schema, told[0])

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
