"""Statements of many lanes on few connections: together when they have to wait, each with its own answer and error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from psycopg.errors import DivisionByZero
from psycopg_pool import AsyncConnectionPool

from tenants.lanes.database import LaneDatabase, Rows, Statement
from tenants.lanes.runtime import connection_string

pytestmark = pytest.mark.django_db


def with_database(use: Callable[[LaneDatabase], Awaitable[Any]], *, under_way: int = 1) -> Any:
    async def run() -> Any:
        async with AsyncConnectionPool(
            connection_string(), min_size=1, max_size=under_way, kwargs={"autocommit": True}, open=False
        ) as pool:
            return await use(LaneDatabase(pool, under_way=under_way))

    return asyncio.run(run())


TRANSACTION = "SELECT %(value)s::int, pg_current_xact_id()::text"


def test_what_waits_for_one_organisation_shares_a_transaction_and_each_gets_its_own_rows():
    async def use(database: LaneDatabase) -> list[Rows]:
        asks = [database.run("t_a", (TRANSACTION, {"value": value})) for value in range(10)]
        return [rows[0] for rows in await asyncio.gather(*asks)]

    answers = with_database(use)
    assert [rows[0][0] for rows in answers] == list(range(10))
    transactions = [rows[0][1] for rows in answers]
    assert len(set(transactions[1:])) == 1, "the first went at once, the others waited for the connection"
    assert transactions[0] != transactions[1]


def test_other_organisations_have_their_own_transaction_and_their_turn():
    async def use(database: LaneDatabase) -> list[str]:
        asks = [database.run(f"t_{value % 2}", (TRANSACTION, {"value": value})) for value in range(9)]
        return [rows[0][0][1] for rows in await asyncio.gather(*asks)]

    transactions = with_database(use)
    assert set(transactions[1::2]).isdisjoint(transactions[2::2])
    assert len(set(transactions)) == 3


def test_a_statement_that_fails_fails_alone():
    async def use(database: LaneDatabase) -> list[Any]:
        asks = [database.run("t_a", ("SELECT 100 / %(by)s::int", {"by": by})) for by in (1, 2, 0, 4)]
        return await asyncio.gather(*asks, return_exceptions=True)

    first, second, broken, last = with_database(use)
    assert [first, second, last] == [[[(100,)]], [[(50,)]], [[(25,)]]]
    assert isinstance(broken, DivisionByZero)


def test_whoever_does_not_wait_any_more_is_left_out(committed):
    async def use(database: LaneDatabase) -> list[Rows]:
        await database.run("t_a", ("CREATE TEMPORARY TABLE heard (by int)", {}))
        busy = asyncio.create_task(database.run("t_a", ("SELECT pg_sleep(0.05)", {})))
        await asyncio.sleep(0)
        gone = asyncio.create_task(database.run("t_a", ("INSERT INTO heard VALUES (1)", {})))
        await asyncio.sleep(0)
        gone.cancel()
        await busy
        return await database.run("t_a", ("SELECT count(*) FROM heard", {}))

    assert with_database(use) == [[(0,)]]


class Sums:
    """Numbers that are answered by one statement."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def statements(self, schema: str, asks: Sequence[int]) -> list[Statement]:
        self.sizes.append(len(asks))
        return [("SELECT n, 100 / n FROM unnest(%(n)s::int[]) AS n", {"n": list(asks)})]

    def answers(self, asks: Sequence[int], rows: list[Rows]) -> list[int]:
        return [dict(rows[0])[ask] for ask in asks]


def test_asks_of_a_kind_share_a_statement():
    sums = Sums()

    async def use(database: LaneDatabase) -> list[int]:
        return await asyncio.gather(*(database.ask("t_a", sums, value) for value in (1, 2, 4, 5)))

    assert with_database(use) == [100, 50, 25, 20]
    assert sums.sizes == [1, 3]


def test_one_bad_ask_of_a_kind_spoils_nobody_elses():
    sums = Sums()

    async def use(database: LaneDatabase) -> list[Any]:
        asks = (database.ask("t_a", sums, value) for value in (1, 2, 0, 5))
        return await asyncio.gather(*asks, return_exceptions=True)

    first, second, broken, last = with_database(use)
    assert [first, second, last] == [100, 50, 20]
    assert isinstance(broken, DivisionByZero)


def test_how_long_the_next_one_has_been_waiting_is_told():
    async def use(database: LaneDatabase) -> tuple[float, float]:
        idle = database.delay()
        busy = asyncio.create_task(database.run("t_a", ("SELECT pg_sleep(0.2)", {})))
        await asyncio.sleep(0)
        behind = asyncio.create_task(database.run("t_a", ("SELECT 1", {})))
        await asyncio.sleep(0.1)
        waiting = database.delay()
        await asyncio.gather(busy, behind)
        return idle, waiting

    idle, waiting = with_database(use)
    assert idle == 0.0
    assert 0.05 < waiting < 0.2
