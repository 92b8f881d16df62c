"""Organisations' schemas: which migrations they hold, and how a new one is cloned from the prepared template.

Running every migration for a new organisation takes many seconds; replaying the template's catalogue takes a fraction
of one. `CREATE TABLE ... (LIKE ... INCLUDING ALL)` alone is not enough: it invents new names for indexes and unique
constraints (a later migration that drops one by name would fail) and it leaves out foreign keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import get_public_schema_name, schema_context

from tenants.connection import connection
from tenants.errors import Conflict
from tenants.models import Organization

TEMPLATE_SCHEMA: Final = "template_tenant"

# Kinds of objects that cloning does not know; a schema that holds one is refused instead of being copied in part.
_UNKNOWN_OBJECTS: Final = """
    SELECT 'relation ' || c.relname FROM pg_class c
     WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind NOT IN ('r', 'i', 'S')
    UNION ALL SELECT 'function ' || p.proname FROM pg_proc p WHERE p.pronamespace = %(schema)s::regnamespace
    UNION ALL SELECT 'type ' || t.typname FROM pg_type t
     WHERE t.typnamespace = %(schema)s::regnamespace AND t.typtype IN ('e', 'd', 'r')
    UNION ALL SELECT 'trigger ' || g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
     WHERE c.relnamespace = %(schema)s::regnamespace AND NOT g.tgisinternal
    UNION ALL SELECT 'sequence ' || c.relname FROM pg_class c
     WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind = 'S'
       AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i')
    ORDER BY 1
"""
_TABLES: Final = """
    SELECT c.relname, array_agg(quote_ident(a.attname) ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '')
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind = 'r'
     GROUP BY c.relname ORDER BY c.relname
"""
# Primary keys, unique and exclusion constraints, then plain indexes, then foreign keys: what is pointed at comes first.
_CONSTRAINTS: Final = """
    SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     WHERE c.relnamespace = %(schema)s::regnamespace AND k.contype::text = ANY(%(kinds)s)
     ORDER BY c.relname, k.conname
"""
_INDEXES: Final = """
    SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.relnamespace = %(schema)s::regnamespace
       AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
     ORDER BY c.relname
"""
_IDENTITIES: Final = """
    SELECT t.relname, a.attname, s.relname, format_type(q.seqtypid, NULL)
      FROM pg_class s JOIN pg_sequence q ON q.seqrelid = s.oid
      JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'i' AND d.classid = 'pg_class'::regclass
      JOIN pg_class t ON t.oid = d.refobjid
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     WHERE s.relnamespace = %(schema)s::regnamespace AND s.relkind = 'S'
     ORDER BY t.relname, a.attname
"""


def tenant_app_labels() -> frozenset[str]:
    """Labels of the apps whose tables are in every organisation's schema."""
    return frozenset(name.rpartition(".")[2] for name in settings.TENANT_APPS)


def migrations_digest(names: Iterable[tuple[str, str]]) -> str:
    """SHA-256 (hex) over the (app label, migration name) pairs of tenant apps among `names`, in any order."""
    labels = tenant_app_labels()
    lines = sorted({f"{label}.{name}" for label, name in names if label in labels})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def code_digest() -> str:
    """Digest of the tenant migrations that this code holds on disk; the database is not asked."""
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
    """DROP SCHEMA CASCADE. Refuses the public schema and the template."""
    if schema in {get_public_schema_name(), TEMPLATE_SCHEMA}:
        raise ValueError(f"the schema {schema} must not be dropped")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {connection.ops.quote_name(schema)} CASCADE")


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
    RuntimeError when the template holds an object that cloning does not know.
    """
    stored = Organization.objects.filter(schema_name=TEMPLATE_SCHEMA).values_list("schema_digest", flat=True)
    digest: str | None = stored.first()
    if digest is None or digest != code_digest():
        raise Conflict("template_not_ready", "The database is not migrated to this version: run manage.py migrate.")
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in clone_statements(TEMPLATE_SCHEMA, schema):
            cursor.execute(statement)
        _align_identities(cursor, schema)
    return digest


def clone_statements(source: str, target: str) -> list[str]:
    """SQL that makes `target` an equal of the schema `source`, in order; nothing is executed."""
    unknown = [row[0] for row in _rows(_UNKNOWN_OBJECTS, schema=source)]
    if unknown:
        raise RuntimeError(f"cloning {source} does not know: {', '.join(unknown)}")
    new, old = connection.ops.quote_name(target), connection.ops.quote_name(source)
    tables = _rows(_TABLES, schema=source)
    statements = [f"CREATE SCHEMA {new}"]
    for table, _columns in tables:
        name = connection.ops.quote_name(table)
        statements.append(f"CREATE TABLE {new}.{name} (LIKE {old}.{name} INCLUDING ALL EXCLUDING INDEXES)")
    statements += [_copy_rows(old, new, table, columns) for table, columns in tables if _has_rows(old, table)]
    return [*statements, *_copied_sequences(source, new), *_definitions(source, new)]


def _copy_rows(old: str, new: str, table: str, columns: list[str]) -> str:
    name, listed = connection.ops.quote_name(table), ", ".join(columns)
    return f"INSERT INTO {new}.{name} ({listed}) OVERRIDING SYSTEM VALUE SELECT {listed} FROM {old}.{name}"  # noqa: S608


def _has_rows(schema: str, table: str) -> bool:
    return bool(_rows(f"SELECT 1 FROM {schema}.{connection.ops.quote_name(table)} LIMIT 1"))  # noqa: S608


def _copied_sequences(source: str, new: str) -> list[str]:
    """Identity counters continue after the copied rows. `LIKE` has made the sequences, whatever their names."""
    values = dict(
        _rows("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = %(schema)s", schema=source)
    )
    return [
        f"SELECT setval(pg_get_serial_sequence({_literal(f'{new}.{connection.ops.quote_name(table)}')}, "
        f"{_literal(column)}), {int(values[sequence])})"
        for table, column, sequence, _type in _rows(_IDENTITIES, schema=source)
        if values.get(sequence) is not None
    ]


def _definitions(source: str, new: str) -> list[str]:
    """Keys, indexes and foreign keys of `source` under their own names. Foreign keys into public stay as they are."""
    with transaction.atomic(), connection.catalog_only():
        keys = _constraints(source, ["p", "u", "x"])
        indexes = [row[0] for row in _rows(_INDEXES, schema=source)]
        foreign_keys = _constraints(source, ["f"])
    return [definition.replace(f"{source}.", f"{new}.") for definition in (*keys, *indexes, *foreign_keys)]


def _constraints(source: str, kinds: list[str]) -> list[str]:
    quote = connection.ops.quote_name
    return [
        f"ALTER TABLE {source}.{quote(table)} ADD CONSTRAINT {quote(name)} {definition}"
        for table, name, definition in _rows(_CONSTRAINTS, schema=source, kinds=kinds)
    ]


def _align_identities(cursor: Any, schema: str) -> None:
    """Give identity sequences the template's names and types.

    `LIKE` names them after the table, but a renamed table keeps its old sequence name; and it makes each a bigint.
    """
    wanted = {(table, column): (name, kind) for table, column, name, kind in _rows(_IDENTITIES, schema=TEMPLATE_SCHEMA)}
    quote = connection.ops.quote_name
    for table, column, made_name, made_kind in _rows(_IDENTITIES, schema=schema):
        name, kind = wanted[table, column]
        if made_kind != kind:
            cursor.execute(f"ALTER SEQUENCE {quote(schema)}.{quote(made_name)} AS {kind}")
        if made_name != name:
            cursor.execute(f"ALTER SEQUENCE {quote(schema)}.{quote(made_name)} RENAME TO {quote(name)}")


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
