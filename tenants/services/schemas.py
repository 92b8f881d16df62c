"""Organisations' schemas: which migrations they hold, and how a new one is cloned from the prepared template.

Running every migration for a new organisation takes many seconds; replaying the template's catalogue (see `cloning`)
takes a fraction of one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import get_public_schema_name, schema_context
from psycopg.errors import DeadlockDetected, LockNotAvailable

from tenants.connection import connection
from tenants.errors import Conflict
from tenants.models import Organization
from tenants.services.cloning import clone_statements

TEMPLATE_SCHEMA: Final = "template_tenant"
# Clones share it, whatever changes the template takes it alone: nobody copies a template that is half migrated.
TEMPLATE_LOCK: Final = 0x74656D706C
# Dropping and cloning both lock the platform's tables that foreign keys point to, each in an order of its own: a drop
# runs alone, clones share the lock.
DROP_LOCK: Final = 0x64726F70
# Shorter than PostgreSQL's deadlock_timeout (1 s): whoever waits for us in turn gets on before being made a victim.
DROP_LOCK_SECONDS: Final = 0.8


def tenant_app_labels() -> frozenset[str]:
    """Labels of the apps whose tables are in every organisation's schema."""
    return frozenset(name.rpartition(".")[2] for name in settings.TENANT_APPS)


def migrations_digest(names: Iterable[tuple[str, str]]) -> str:
    """SHA-256 (hex) over the (app label, migration name) pairs of tenant apps among `names`, in any order."""
    labels = tenant_app_labels()
    lines = sorted({f"{label}.{name}" for label, name in names if label in labels})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def code_digest() -> str:
    """Digest of the tenant migrations of the code that this process runs; the database is not asked.

    Read from disk once: what a release puts there later is not the code of this process.
    """
    return migrations_digest(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def applied_digest(schema: str) -> str:
    """Digest of the tenant migrations recorded in `schema`; the digest of nothing when it holds no record."""
    with schema_context(schema):
        # Without public in the search path: its own table would answer for a schema that has none.
        connection.set_schema(schema, include_public=False)
        return migrations_digest(MigrationRecorder(connection).applied_migrations())


def schema_exists(schema: str) -> bool:
    """Whether PostgreSQL has the schema."""
    return bool(_rows("SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s", schema=schema))


def schema_create_empty(schema: str) -> None:
    """CREATE SCHEMA unless it is there."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {connection.ops.quote_name(schema)}")


def schema_drop(schema: str) -> None:
    """DROP SCHEMA CASCADE, in a transaction of its own unless one is open. Refuses the public schema and the template.

    It locks every table of the schema and those of public that they point to, for a moment and completely. So it gives
    up when it does not get them within DROP_LOCK_SECONDS, instead of having everybody queue behind it: Conflict
    `schema_busy`.
    """
    if schema in {get_public_schema_name(), TEMPLATE_SCHEMA}:
        raise ValueError(f"the schema {schema} must not be dropped")
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DROP_LOCK])
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(DROP_LOCK_SECONDS * 1000)}ms"])
            cursor.execute(f"DROP SCHEMA IF EXISTS {connection.ops.quote_name(schema)} CASCADE")
    except OperationalError as error:
        if not isinstance(error.__cause__, (LockNotAvailable, DeadlockDetected)):
            raise
        raise Conflict("schema_busy", f"The tables of {schema} are in use; try again later.") from error


def template_organization() -> Organization:
    """The row that stands for the template schema; made when missing. It is nobody's organisation: never usable."""
    template: Organization
    template, _ = Organization.objects.get_or_create(
        schema_name=TEMPLATE_SCHEMA,
        defaults={
            "name": "Template",
            "slug": "template-tenant",
            "is_template": True,
            "status": Organization.Status.SUSPENDED,
        },
    )
    return template


def template_seed() -> None:
    """Write the rows that every new organisation starts with into the template; cloning copies rows too."""
    from otp.models import OtpPolicy

    with schema_context(TEMPLATE_SCHEMA):
        if not OtpPolicy.objects.exists():
            OtpPolicy.objects.create()


def schema_clone(schema: str) -> str:
    """Make `schema` an equal of the template, rows included, in the current transaction. Returns its digest.

    Raises Conflict `template_not_ready` when the template is missing or does not hold this code's migrations, and
    RuntimeError when the template holds an object that cloning does not know. Clones share a lock; they wait while the
    template itself is migrated.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [TEMPLATE_LOCK])
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [DROP_LOCK])
        stored = Organization.objects.filter(schema_name=TEMPLATE_SCHEMA).values_list("schema_digest", flat=True)
        digest: str | None = stored.first()
        if digest is None or digest != code_digest():
            raise Conflict("template_not_ready", "The database is not migrated to this version: run manage.py migrate.")
        # One round trip: PostgreSQL reads a text of many statements at once.
        cursor.execute(";\n".join(clone_statements(TEMPLATE_SCHEMA, schema)))
    return digest


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())
