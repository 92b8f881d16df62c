"""When connections end: after many organisations' schemas, and with the thread that opened them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tenants.connection import connection


def process() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.fixture
def three_at_most(settings: Any, committed: Any) -> None:
    connection.close()
    settings.DATABASE_MAX_SCHEMAS = 3


def visit(*schemas: str) -> None:
    for schema in schemas:
        connection.set_schema(schema)
    connection.set_schema_to_public()


def test_it_is_given_up_after_many_schemas_and_counts_anew(three_at_most: None) -> None:
    first = process()
    visit("t_one", "t_two", "t_one", "t_two")
    connection.close_if_unusable_or_obsolete()
    assert process() == first, "public and two others are three"
    visit("t_three")
    assert process() == first, "not in the middle of a request"
    connection.close_if_unusable_or_obsolete()
    second = process()
    assert second != first
    visit("t_one", "t_two")
    connection.close_if_unusable_or_obsolete()
    assert process() == second


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_a_threads_connection_ends_with_the_thread(committed: Any, no_garbage_collection: None) -> None:
    servers: list[int] = []

    def work() -> None:
        servers.append(process())
        connection.close()
        servers.append(process())

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(set(servers)) == 6
    assert not _alive(servers)


def _alive(servers: list[int]) -> list[int]:
    """Those of `servers` that still run; PostgreSQL needs a moment to end one."""
    with connection.cursor() as cursor:
        for _ in range(50):
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE pid = ANY(%s)", [servers])
            found = [pid for (pid,) in cursor.fetchall()]
            if not found:
                break
            cursor.execute("SELECT pg_sleep(0.1)")
        return found
