"""The next release on the test database, and what it left in a schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from bench.release import NextRelease
from tenants.models import Organization
from tenants.services.schemas import code_digest


class MovedRelease(NextRelease):
    """Columns of the policy of one-time passwords, in processes of their own; `undo` takes them away again."""

    def __init__(self, directory: Path) -> None:
        database = {**settings.DATABASES["default"], "NAME": connection.settings_dict["NAME"]}
        url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
        super().__init__(directory, app="otp", model="otppolicy", environment={"DATABASE_URL": url})

    def undo(self) -> None:
        """Take the added columns and their records out of every schema, and set the digests back."""
        connection.set_schema_to_public()
        with connection.cursor() as cursor:
            cursor.execute("SELECT nspname FROM pg_namespace WHERE to_regclass(nspname || '.django_migrations') > 0")
            for (schema,) in cursor.fetchall():
                cursor.execute(f"DELETE FROM {schema}.django_migrations WHERE app = 'otp' AND name >= '9'")
                for name in self.names:
                    column = name.partition("_")[2]
                    cursor.execute(f"ALTER TABLE IF EXISTS {schema}.otp_otppolicy DROP COLUMN IF EXISTS {column}")
        Organization.objects.exclude(schema_name="public").update(schema_digest=code_digest())


def applied(schema: str, name: str) -> list[Any]:
    """When the migration was applied in `schema`, once for each record."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT applied FROM {schema}.django_migrations WHERE name = %s", [name])
        return [row[0] for row in cursor.fetchall()]


def has_column(schema: str, column: str) -> bool:
    """Whether the policy of one-time passwords has `column`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = 'otp_otppolicy' AND column_name = %s",
            [schema, column],
        )
        return cursor.fetchone() is not None
