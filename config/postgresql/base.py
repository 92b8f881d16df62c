"""The database backend: django-tenants' search path, also behind a pooler that hands each transaction to any server.

`DATABASE_POOLING=none`: a connection belongs to one client, so `SET search_path` (django-tenants) holds until the next
one, and a statement costs nothing more. `transaction`: consecutive transactions of one client run on different server
connections, and a session's `SET` would choose the schema of somebody else. Then every statement carries its own
`SET LOCAL search_path` in the same message (see `config.postgresql.carried`), and no session state exists at all.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django_tenants.postgresql_backend import base

from config.postgresql.carried import CarryingCursor
from config.postgresql.introspection import SchemaIntrospection

_UNANNOUNCED = (
    "A connection pooler stands between Griot and PostgreSQL (another process answers than the one that was greeted): "
    "set DATABASE_POOLING=transaction. Without it organisations could be mixed up, so nothing is run."
)


class _ClosedWithItsThread:
    """Closes a connection when it is itself forgotten, which is when its thread ends."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __del__(self) -> None:
        # At the interpreter's end the driver may be half gone; the server sees the socket close anyway.
        with suppress(Exception):
            self._connection.close()


class _OfThisThread(threading.local):
    """The open connections of a thread, by wrapper.

    A web server's threads come and go with the load. Django's wrappers are parts of reference cycles, so that of a
    thread that ended would keep its connection until the garbage collector comes by, beside that of the next thread.
    """

    def __init__(self) -> None:
        self.opened: WeakKeyDictionary[DatabaseWrapper, _ClosedWithItsThread] = WeakKeyDictionary()


_of_this_thread = _OfThisThread()


class DatabaseWrapper(base.DatabaseWrapper):
    """django-tenants' wrapper with a cheap look at whether a kept connection lives, and safe behind a pooler."""

    connection: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._path_instead: str | None = None
        self._visited: set[str] = set()
        super().__init__(*args, **kwargs)
        self.introspection = SchemaIntrospection(self)

    @property
    def carries_path(self) -> bool:
        """Whether each statement brings its search path along."""
        return bool(settings.DATABASE_POOLING == "transaction")

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if self.carries_path:
            params["cursor_factory"] = CarryingCursor
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        _of_this_thread.opened[self] = _ClosedWithItsThread(connection)
        return connection

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        """As django-tenants'; remembers how many schemas this connection has been in."""
        super().set_tenant(tenant, include_public)
        self._visited.add(tenant.schema_name)

    def close(self) -> None:
        super().close()
        self._visited = {self.schema_name}

    def close_if_unusable_or_obsolete(self) -> None:
        """Between two requests or tasks: as Django's, and a connection that has been in many schemas is given up.

        Its server process keeps what it learned about every table it has seen, for as long as it lives (PostgreSQL's
        relation cache): with a thousand organisations that is hundreds of MiB for each process.
        """
        super().close_if_unusable_or_obsolete()
        if (
            self.connection is not None
            and not self.in_atomic_block
            and len(self._visited) > settings.DATABASE_MAX_SCHEMAS
        ):
            self.close()

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if not self.carries_path:
            self._refuse_pooler()

    def _refuse_pooler(self) -> None:
        """Fail closed: a pooler that nobody announced would mix the search paths of its clients.

        The greeting's process id is the server's own on a direct connection; poolers send one of their making.
        """
        with self.connection.cursor() as cursor:
            pid = cursor.execute("SELECT pg_backend_pid()").fetchone()[0]
        if pid != self.connection.info.backend_pid:
            self.connection.close()
            self.connection = None
            raise ImproperlyConfigured(_UNANNOUNCED)

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = super().create_cursor(name)
        if isinstance(cursor, CarryingCursor):
            cursor.path_of = self.path_statement
        return cursor

    def path_statement(self) -> str:
        """`SET LOCAL search_path = …` for the schema that is current now."""
        path = self._path_instead or ",".join(
            base.quote_schema_name(schema) for schema in self._get_cursor_search_paths()
        )
        return f"SET LOCAL search_path = {path};"

    def _handle_search_path(self, cursor: Any = None) -> None:
        if not self.carries_path:
            super()._handle_search_path(cursor)

    @contextmanager
    def catalog_only(self) -> Iterator[None]:
        """Inside `atomic()`: search only pg_catalog, so that PostgreSQL prints every other name with its schema."""
        with self.cursor() as cursor:
            cursor.execute("SELECT current_setting('search_path')")
            before = cursor.fetchone()[0]
            self._path_instead = "pg_catalog"
            try:
                cursor.execute("SET LOCAL search_path TO pg_catalog")
                yield
            finally:
                self._path_instead = None
        # A SET LOCAL lasts until the outermost transaction ends, which may be our caller's.
        with self.cursor() as cursor:
            cursor.execute("SELECT set_config('search_path', %s, true)", [before])

    def is_usable(self) -> bool:
        """As Django's, but the server is asked (`SELECT 1`) only when there is something to read on the socket.

        A server that goes away closes the socket, which makes it readable; an idle connection in good health has
        nothing to read. That spares every request one round trip.
        """
        if self.connection is None or self.connection.closed:
            return False
        readable, _, _ = select.select([self.connection.fileno()], [], [], 0)
        return not readable or bool(super().is_usable())
