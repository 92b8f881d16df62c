"""The default database connection with the methods that django-tenants adds to it, for type checkers too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.db import connection as _connection

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from django.db.backends.base.base import BaseDatabaseWrapper

    class TenantConnection(BaseDatabaseWrapper):
        """What `config.postgresql` has beyond Django's wrapper. One per thread."""

        schema_name: str
        carries_path: bool

        def set_schema(self, schema_name: str, include_public: bool = True) -> None:
            """Search `schema_name`, then public unless it is left out."""

        def set_schema_to_public(self) -> None:
            """Search public only."""

        def catalog_only(self) -> AbstractContextManager[None]:
            """Search only pg_catalog, inside `atomic()`."""

        def set_tenant(self, tenant: Any) -> None:
            """Search the schema of `tenant` (anything with a `schema_name`), then public."""


connection = cast("TenantConnection", _connection)
