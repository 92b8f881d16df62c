"""Hot statements without the ORM's cursor: bound and prepared by the server, with every schema named in full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


@contextmanager
def statement_cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A plain psycopg cursor on Django's connection, inside its transaction if there is one.

    Django's own cursor binds on the client, cannot prepare, and sets the search_path first. Errors come out as
    Django's. Only for statements that name their schemas.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        yield cursor
