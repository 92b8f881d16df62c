"""A lane's way to the database: statements on pooled connections, and an absence waited out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from tenants.lanes.database import DATABASE_AWAY, LaneDatabase, Rows

__all__ = ["DATABASE_AWAY", "DatabaseGone", "LaneStore"]

log = structlog.get_logger(__name__)
T = TypeVar("T")

# About ten minutes.
_ATTEMPTS = 120
_LONGEST_PAUSE = 5.0


class DatabaseGone(Exception):
    """The database stayed away; what was to be written is lost, and the next owner of the lane finds it in doubt."""


class LaneStore:
    """The database for one lane of one organisation."""

    def __init__(self, *, schema: str, lane_id: int, database: LaneDatabase) -> None:
        self.schema = schema
        self.lane_id = lane_id
        self.database = database

    async def execute(self, query: str | bytes, params: dict[str, Any]) -> Rows:
        """Run one statement; its rows, if it has any."""
        return (await self.database.run(self.schema, (query, params)))[0]

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
                log.warning("waiting_for_database", schema=self.schema, lane=self.lane_id, error=str(error))
            await asyncio.sleep(min(0.2 * 2**attempt, _LONGEST_PAUSE))
            attempt += 1
            # One broken connection is seldom alone: the others would fail one after the other.
            await self.database.check()
