"""A connection is given up between two requests when it has been in many organisations' schemas."""

from __future__ import annotations

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
