"""The database of a process's lanes: one small pool, and statements that wait for it go out together.

While connections are free a request goes out at once and alone. When they are not, requests pile up, and the next
connection that comes free takes all that wait for the same organisation: those of a kind in the same statements, all of
them in one pipeline, with one round trip and one commit. So the busier it gets, the less each of them costs, where
lanes that wait one by one would fall behind for good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import psycopg
from psycopg import AsyncConnection, AsyncCursor, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

# The database is away, restarts, or cut this connection. Deadlocks and cancelled statements are among them.
DATABASE_AWAY: Final = (OperationalError, PoolTimeout)
# Calls in one transaction: it holds their rows until its end.
_MOST: Final = 50

Rows = list[tuple[Any, ...]]
Statement = tuple[str | bytes, dict[str, Any]]


class Together(Protocol):
    """A kind of request of which many are answered by the same statements."""

    def statements(self, schema: str, asks: Sequence[Any]) -> list[Statement]:
        """The statements that do what all of `asks` want."""

    def answers(self, asks: Sequence[Any], rows: list[Rows]) -> list[Any]:
        """What each of `asks` gets, from the rows of each statement."""


@dataclass(frozen=True, slots=True)
class _One:
    """Statements that nothing can be joined with."""

    def statements(self, schema: str, asks: Sequence[Sequence[Statement]]) -> list[Statement]:
        return [statement for ask in asks for statement in ask]

    def answers(self, asks: Sequence[Sequence[Statement]], rows: list[Rows]) -> list[list[Rows]]:
        left = iter(rows)
        return [[next(left) for _ in ask] for ask in asks]


_ONE: Final = _One()


@dataclass(frozen=True, slots=True)
class _Call:
    """One request, and who waits for its answer since when."""

    kind: Together
    ask: Any
    answer: asyncio.Future[Any]
    since: float


class LaneDatabase:
    """Runs lanes' statements on the connections of `pool`; up to `under_way` transactions of `run` at once."""

    def __init__(self, pool: AsyncConnectionPool[Any], *, under_way: int) -> None:
        self._pool = pool
        self._free = under_way
        # By organisation, the one that waits longest first.
        self._waiting: dict[str, list[_Call]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """A connection of one's own, for a transaction that decides on the way or must keep to an order of locks."""
        return self._pool.connection()

    async def check(self) -> None:
        """Replace connections that are broken."""
        await self._pool.check()

    async def run(self, schema: str, *statements: Statement) -> list[Rows]:
        """The rows of each statement; all of them are one transaction, perhaps with other lanes' of this organisation.

        Each statement sees what is there when it starts. Whatever fails is rolled back and raised here, and only here.
        """
        rows: list[Rows] = await self.ask(schema, _ONE, statements)
        return rows

    async def ask(self, schema: str, kind: Together, ask: Any) -> Any:
        """The answer to `ask`, from statements that it shares with whatever of its kind waits with it."""
        call = _Call(kind, ask, asyncio.get_running_loop().create_future(), time.monotonic())
        self._waiting.setdefault(schema, []).append(call)
        self._start()
        return await call.answer

    def delay(self) -> float:
        """Seconds for which the call that is next has been waiting; 0.0 when none does."""
        waiting = next(iter(self._waiting.values()), None)
        return time.monotonic() - waiting[0].since if waiting else 0.0

    def _start(self) -> None:
        while self._free and self._waiting:
            schema = next(iter(self._waiting))
            # Whoever does not wait any more, such as a lane's heartbeat after its end, is left out.
            waiting = [call for call in self._waiting.pop(schema) if not call.answer.done()]
            if not waiting:
                continue
            if waiting[_MOST:]:
                self._waiting[schema] = waiting[_MOST:]
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._answer(schema, waiting[:_MOST]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, schema: str, calls: Sequence[_Call]) -> None:
        try:
            async with self._pool.connection() as connection:
                try:
                    await _execute(connection, schema, calls)
                except (psycopg.Error, ValueError) as error:
                    if len(calls) == 1 or isinstance(error, DATABASE_AWAY):
                        raise
                    # One of them is to blame. All were rolled back, so each goes alone.
                    for call in calls:
                        await _execute_alone(connection, schema, call)
        except Exception as error:
            # Every lane decides for itself whether to try again.
            for call in calls:
                _fail(call, error)
        finally:
            self._free += 1
            self._start()


async def _execute(connection: AsyncConnection[Any], schema: str, calls: Sequence[_Call]) -> None:
    kinds: dict[Together, list[_Call]] = {}
    for call in calls:
        kinds.setdefault(call.kind, []).append(call)
    statements = {kind: kind.statements(schema, [call.ask for call in those]) for kind, those in kinds.items()}
    if sum(map(len, statements.values())) == 1:
        [[statement]] = statements.values()
        cursors = [await connection.execute(*statement)]
    else:
        async with connection.pipeline():
            cursors = [await connection.execute(*one) for several in statements.values() for one in several]
    rows = iter([await _rows(cursor) for cursor in cursors])
    for kind, those in kinds.items():
        answers = kind.answers([call.ask for call in those], [next(rows) for _ in statements[kind]])
        for call, answer in zip(those, answers, strict=True):
            if not call.answer.done():
                call.answer.set_result(answer)


async def _execute_alone(connection: AsyncConnection[Any], schema: str, call: _Call) -> None:
    try:
        await _execute(connection, schema, [call])
    except DATABASE_AWAY:
        raise
    except (psycopg.Error, ValueError) as error:
        _fail(call, error)


async def _rows(cursor: AsyncCursor[Any]) -> Rows:
    return await cursor.fetchall() if cursor.description else []


def _fail(call: _Call, error: Exception) -> None:
    if not call.answer.done():
        call.answer.set_exception(error)
