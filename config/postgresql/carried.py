"""A cursor whose every statement brings its search path along, for poolers that share sessions between clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    # What Django's is with psycopg 3; its stubs leave that open.
    Cursor = psycopg.ClientCursor[Any]
else:
    from django.db.backends.postgresql.base import Cursor


class CarryingCursor(Cursor):
    """Sends `SET LOCAL search_path = …; statement` as one message.

    PostgreSQL runs the statements of one message in one transaction ("Multiple Statements in a Simple Query" in its
    protocol chapter), and a pooler in transaction mode keeps a transaction on one server connection: the path holds for
    this statement (and the transaction that is open), and ends with it. It costs no round trip. In a transaction that
    has failed nothing is carried: only its rollback can run.

    `path_of` answers with the `SET LOCAL` of the moment; without it (Django's own set-up of a connection) the cursor is
    a plain one.
    """

    path_of: Callable[[], str] | None = None

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if self.path_of is None or self._status() is TransactionStatus.INERROR:
            return super().execute(query, params, **options)
        super().execute(_joined(self.path_of(), query, has_params=params is not None), params, **options)
        # The first result is that of the SET.
        self.nextset()
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        """One after the other: a pipeline cannot carry two statements in one message."""
        changed = 0
        for params in params_seq:
            self.execute(query, params)
            changed += max(self.rowcount, 0)
        self._rowcount = changed

    @contextmanager
    def copy(self, statement: Any, params: Any = None, **options: Any) -> Iterator[Any]:
        """COPY must be a message of its own, so the path goes before it: only inside a transaction."""
        if self.path_of is not None:
            if self.connection.autocommit and self._status() is TransactionStatus.IDLE:
                raise psycopg.NotSupportedError("COPY needs a transaction when DATABASE_POOLING=transaction")
            super().execute(self.path_of())
        with super().copy(statement, params, **options) as copy:
            yield copy

    def stream(self, *args: Any, **options: Any) -> Any:
        raise psycopg.NotSupportedError("stream() cannot carry a search path")

    def _status(self) -> TransactionStatus:
        return self.connection.info.transaction_status


def _joined(path: str, query: Any, *, has_params: bool) -> Any:
    if has_params:
        path = path.replace("%", "%%")
    if isinstance(query, bytes):
        return path.encode() + query
    if isinstance(query, sql.Composable):
        return sql.SQL(path) + query
    return path + query
