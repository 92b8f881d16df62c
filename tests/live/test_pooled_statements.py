"""The search path behind pgbouncer in transaction mode: all clients share one server connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.test import override_settings

from config.postgresql.carried import CarryingCursor
from tests.live.pgbouncer import pgbouncer, pgbouncer_program

pytestmark = pytest.mark.skipif(pgbouncer_program() is None, reason="pgbouncer is not installed")


def _url() -> str:
    values = connection.settings_dict
    return f"postgresql://{values['USER']}:{values['PASSWORD']}@{values['HOST']}:{values['PORT']}/{values['NAME']}"


def _wrapper(url: str) -> Any:
    """A connection of Django's, as another thread or process would have it, through `url`."""
    wrapper = connection.copy("default")
    wrapper.settings_dict = {**connection.settings_dict, "PORT": url.rpartition(":")[2].partition("/")[0]}
    wrapper.set_schema_to_public()
    return wrapper


@pytest.fixture
def pooled(committed: tuple[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(URL through a pooler with one server connection, schema, other schema)."""
    with pgbouncer(_url(), servers=1) as url, override_settings(DATABASE_POOLING="transaction", DATABASE_PREPARE=False):
        yield url, committed[0].schema_name, committed[1].schema_name


def test_a_pooler_that_nobody_announced_is_refused(committed):
    with pgbouncer(_url(), servers=1) as url:
        wrapper = _wrapper(url)
        with pytest.raises(ImproperlyConfigured, match="DATABASE_POOLING=transaction"):
            wrapper.cursor()
        assert wrapper.connection is None


def test_two_organisations_hammering_one_server_connection_never_meet(pooled):
    url, ours, theirs = pooled
    wrong: list[tuple[str, str]] = []
    start = threading.Barrier(8)

    def hammer(schema: str) -> int:
        wrapper = _wrapper(url)
        wrapper.set_schema(schema)
        start.wait()
        for _ in range(150):
            with wrapper.cursor() as cursor:
                cursor.execute("SELECT current_schema(), %s", ["100%"])
                wrong.extend((schema, seen) for seen, _ in cursor.fetchall() if seen != schema)
                cursor.execute("INSERT INTO contacts_suppression (address, reason, scope, note, created_at) "
                               "VALUES (gen_random_uuid(), 'opt_out', 'all', %s, now())", [schema])  # fmt: skip
                assert cursor.rowcount == 1
                cursor.execute("SELECT count(*) FROM contacts_suppression WHERE note <> %s", [schema])
                wrong.extend((schema, "rows") for (count,) in cursor.fetchall() if count)
        wrapper.close()
        return 150

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(hammer, [ours, theirs] * 4))
    assert wrong == []
    assert sum(done) == 1200
    with connection.cursor() as cursor:
        for schema in (ours, theirs):
            cursor.execute(
                f"SELECT count(*), count(*) FILTER (WHERE note = %s) FROM {schema}.contacts_suppression", [schema]
            )
            assert cursor.fetchone() == (600, 600)


def test_a_transaction_keeps_its_schema_while_others_wait(pooled):
    url, ours, theirs = pooled
    first, second = _wrapper(url), _wrapper(url)
    first.set_schema(ours)
    second.set_schema(theirs)
    first.set_autocommit(False)
    with first.cursor() as cursor:
        cursor.execute("SELECT current_schema(), pg_backend_pid()")
        schema, server = cursor.fetchone()
        cursor.execute("SELECT current_schema()")
        assert (schema, cursor.fetchone()) == (ours, (ours,))
    first.commit()
    first.set_autocommit(True)
    with second.cursor() as cursor:
        cursor.execute("SELECT current_schema(), pg_backend_pid()")
        assert cursor.fetchone() == (theirs, server)
    first.close()
    second.close()


def test_the_path_survives_an_error_and_a_rolled_back_savepoint(pooled):
    url, ours, _ = pooled
    wrapper = _wrapper(url)
    wrapper.set_schema(ours)
    wrapper.set_autocommit(False)
    with wrapper.cursor() as cursor:
        savepoint = wrapper.savepoint()
        with pytest.raises(DatabaseError):
            cursor.execute("SELECT 1 / 0")
        wrapper.savepoint_rollback(savepoint)
        cursor.execute("SELECT current_schema()")
        assert cursor.fetchone() == (ours,)
    wrapper.rollback()
    wrapper.close()


def test_nothing_is_left_on_the_server_connection(pooled):
    url, ours, _ = pooled
    wrapper = _wrapper(url)
    wrapper.set_schema(ours)
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
    wrapper.close()
    with psycopg.connect(url, autocommit=True) as plain:
        assert plain.execute("SHOW search_path").fetchone() == ('"$user", public',)


def test_copy_needs_a_transaction_and_goes_into_the_own_schema(pooled):
    url, ours, theirs = pooled
    wrapper = _wrapper(url)
    wrapper.set_schema(ours)
    statement = "COPY contacts_suppression (address, reason, scope, note, created_at) FROM STDIN"
    with wrapper.cursor() as cursor, pytest.raises(psycopg.NotSupportedError, match="needs a transaction"):
        cursor.copy(statement).__enter__()
    wrapper.set_autocommit(False)
    with wrapper.cursor() as cursor:
        with cursor.copy(statement) as copy:
            copy.write_row(("22961000001", "opt_out", "all", "", "2026-01-01"))
        wrapper.commit()
        cursor.execute("SELECT count(*) FROM contacts_suppression")
        assert cursor.fetchone() == (1,)
        cursor.execute(f"SELECT count(*) FROM {theirs}.contacts_suppression")
        assert cursor.fetchone() == (0,)
    wrapper.rollback()
    wrapper.close()


def test_many_rows_at_once_keep_their_count(pooled):
    url, ours, _ = pooled
    wrapper = _wrapper(url)
    wrapper.set_schema(ours)
    with wrapper.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO contacts_suppression (address, reason, scope, note, created_at) "
            "VALUES (%s, 'opt_out', 'all', '', now())",
            [("22961000002",), ("22961000003",)],
        )
        assert cursor.rowcount == 2
    wrapper.close()


def test_a_schema_is_cloned_by_the_same_statements(committed):
    from tenants.services.schemas import TEMPLATE_SCHEMA, clone_statements

    directly = clone_statements(TEMPLATE_SCHEMA, "t_copy")
    connection.close()
    with override_settings(DATABASE_POOLING="transaction"):
        assert clone_statements(TEMPLATE_SCHEMA, "t_copy") == directly
        with connection.cursor() as cursor:
            assert isinstance(cursor.cursor, CarryingCursor)
        connection.close()
    assert len(directly) > 50
