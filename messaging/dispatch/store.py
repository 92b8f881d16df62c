"""A channel's lane and the database: results written down, and webhook endpoints told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from psycopg.errors import UniqueViolation

from messaging.dispatch import sql
from messaging.dispatch.outcomes import Result
from messaging.dispatch.together import GIVE_BACK, TAKE, Ask, Return
from tenants.lanes.database import LaneDatabase, Rows
from tenants.lanes.store import DATABASE_AWAY, DatabaseGone, LaneStore
from webhooks_app.wake import endpoints_wake

__all__ = ["DATABASE_AWAY", "DatabaseGone", "Store"]


def _rows(results: Sequence[Result], fence: int) -> list[dict[str, Any]]:
    """For SETTLE. One JSON text costs a fraction of eight arrays, on both sides."""
    return [
        {
            "id": result.id,
            "fence": fence,
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


class Store(LaneStore):
    """The statements of one channel of one organisation. `fence` is that of the lease in force."""

    def __init__(self, *, schema: str, channel_id: int, database: LaneDatabase) -> None:
        super().__init__(schema=schema, lane_id=channel_id, database=database)
        self.channel_id = channel_id
        self.sql = sql.statements(schema)

    async def take(self, ask: Ask) -> Rows:
        """The rows of TAKE for this lane."""
        rows: Rows = await self.database.ask(self.schema, TAKE, ask)
        return rows

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
        params = {"results": orjson.dumps(_rows(results, fence)).decode()}
        opt_outs = [result.opt_out for result in results if result.opt_out]
        if not is_first and all(result.is_plain for result in results):
            rows = await self.execute(self.sql.settle, params)
            await self._tell(rows[0])
            return
        told_of_pause: tuple[Any, ...] | None = None
        # A transaction of its own: failed messages give credits back, and an account's row must be locked last.
        async with self.database.connection() as connection, connection.transaction():
            cursor = await connection.execute(self.sql.settle, params)
            told_of_results = await cursor.fetchone()
            if opt_outs:
                await connection.execute(self.sql.suppress, {"addresses": opt_outs, "note": "Reported by the provider"})
            if pause:
                cursor = await connection.execute(self.sql.pause, {"channel": self.channel_id, "reason": pause[:300]})
                told_of_pause = await cursor.fetchone()
            if is_first:
                await connection.execute(self.sql.first_send, {"channel": self.channel_id})
        await self._tell(told_of_results)
        await self._tell(told_of_pause)

    async def give_back(self, release: dict[str, Any], results: Sequence[Result]) -> bool:
        """Write the last results down and give the lane back, all or none; whether messages are queued.

        The release also sees what was queued while results were written. Safe to repeat.
        """
        try:
            told, has_more = await self.database.ask(
                self.schema, GIVE_BACK, Return(release, _rows(results, release["fence"]))
            )
        except UniqueViolation:
            await self.settle(results, fence=release["fence"], pause="", is_first=False)
            told, has_more = await self.database.ask(self.schema, GIVE_BACK, Return(release, []))
        await self._tell((told,))
        return bool(has_more)

    async def take_up(self, params: dict[str, Any]) -> None:
        """What has come due becomes work; doubt that nobody resolved is decided."""
        # Alone, like results that are not plain: it may give credits back.
        async with self.database.connection() as connection:
            cursor = await connection.execute(self.sql.due, params)
            told = await cursor.fetchone()
        await self._tell(told)

    async def _tell(self, told: tuple[Any, ...] | None) -> None:
        """Wake the webhook endpoints that a statement wrote deliveries for, if any."""
        if told is not None and told[0]:
            await asyncio.to_thread(endpoints_wake, self.schema, told[0])
