"""`manage.py migrate`: the public schema, the template, then only the organisations that are behind."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from io import StringIO
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import get_public_schema_name

from tenants import migration_process
from tenants.beat import schedules_ensure
from tenants.connection import connection
from tenants.models import Organization
from tenants.services.organizations import public_ensure
from tenants.services.schemas import (
    TEMPLATE_SCHEMA,
    applied_digest,
    code_digest,
    schema_create_empty,
    schema_exists,
    template_organization,
    template_seed,
    tenant_app_labels,
)

# One migrate at a time per database: two releases at once would run the same migration twice.
_LOCK: Final = 0x6772696F74


class Command(DjangoMigrate):
    """Django's `migrate` over all schemas.

    An organisation's row holds a digest of the tenant migrations that its schema has. One query finds those that
    differ from the code; a run with nothing to do never touches the others. A schema that fails is reported and
    skipped, so the next run continues with exactly those that are left.
    """

    help = "Migrates the public schema, the template of new organisations, and every organisation that is behind."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("-s", "--schema", dest="schema_name", help="Only this schema.")
        parser.add_argument("--shared", action="store_true", help="Only the public schema.")
        parser.add_argument("--tenant", action="store_true", help="Only the template and the organisations.")
        parser.add_argument("--parallel", type=int, default=1, help="Migrate that many organisations at once.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs on one schema, on public, on the organisations, or on all, as the options say."""
        self.options = {name: options.pop(name) for name in ("schema_name", "shared", "tenant", "parallel")}
        self.loud = options["verbosity"] >= 1
        connection.set_schema_to_public()
        read_only = options["plan"] or options["check_unapplied"]
        if not read_only and connection.carries_path:
            raise CommandError(
                "Migrations need a connection of their own (locks that last, indexes built concurrently): run migrate "
                "with DATABASE_URL at PostgreSQL itself and DATABASE_POOLING=none."
            )
        if not read_only:
            self._execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            self._run(read_only, options)
        finally:
            connection.set_schema_to_public()
            if not read_only:
                self._execute("SELECT pg_advisory_unlock(%s)", [_LOCK])

    def _run(self, read_only: bool, options: dict[str, Any]) -> None:
        only = self.options["schema_name"]
        if only and only != get_public_schema_name():
            failed = self._migrate_all([only], options) if not read_only else self._show([only], options)
        else:
            if not self.options["tenant"]:
                self._migrate_public(read_only, options)
            if self.options["shared"] or only or not self._wants_tenants(options):
                return
            failed = self._show_tenants(options) if read_only else self._migrate_tenants(options)
        if failed:
            listed = "\n".join(f"  {schema}: {reason}" for schema, reason in failed.items())
            raise CommandError(f"{len(failed)} schema(s) are not migrated; run migrate again:\n{listed}")

    def _wants_tenants(self, options: dict[str, Any]) -> bool:
        return not options["app_label"] or options["app_label"] in tenant_app_labels()

    def _migrate_public(self, read_only: bool, options: dict[str, Any]) -> None:
        super().handle(**options)
        # `migrate tenants zero` and the like leave no table to write the rows into.
        if not read_only and not options["app_label"]:
            public_ensure()
            schedules_ensure()

    def _migrate_tenants(self, options: dict[str, Any]) -> dict[str, str]:
        template = template_organization()
        if options["app_label"] or template.schema_digest != code_digest() or not schema_exists(TEMPLATE_SCHEMA):
            schema_create_empty(TEMPLATE_SCHEMA)
            failed = self._migrate_all([TEMPLATE_SCHEMA], options)
            if failed:
                # The organisations would fail in the same way.
                return failed
        if not options["app_label"]:
            template_seed()
        return self._migrate_all(self._behind(everything=bool(options["app_label"])), options)

    def _behind(self, *, everything: bool) -> list[str]:
        found = Organization.objects.exclude(schema_name__in=[get_public_schema_name(), TEMPLATE_SCHEMA]).order_by("id")
        if not everything:
            found = found.exclude(schema_digest=code_digest())
        return list(found.values_list("schema_name", flat=True))

    def _migrate_all(self, schemas: list[str], options: dict[str, Any]) -> dict[str, str]:
        """Migrate each; schema -> reason for those that failed."""
        failed: dict[str, str] = {}
        started = time.monotonic()
        for number, (schema, reason, seconds) in enumerate(self._outcomes(schemas, options), start=1):
            if reason:
                failed[schema] = reason
            if self.loud:
                outcome = self.style.ERROR(f"FAILED {reason}") if reason else "ok"
                self.stdout.write(f"  [{number}/{len(schemas)}] {schema} {outcome} ({seconds:.2f} s)")
        if self.loud and len(schemas) > 1:
            self.stdout.write(f"  {len(schemas)} schemas in {time.monotonic() - started:.1f} s")
        return failed

    def _outcomes(self, schemas: list[str], options: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
        if self.options["parallel"] <= 1 or len(schemas) <= 1:
            for schema in schemas:
                yield schema_migrate(schema, options)
            return
        yield from _in_processes(schemas, options, self.options["parallel"])

    def _show_tenants(self, options: dict[str, Any]) -> dict[str, str]:
        """For --plan and --check: the template's plan, then which organisations are behind."""
        if not Organization.objects.filter(schema_name=TEMPLATE_SCHEMA).exists():
            return self._behind_line([TEMPLATE_SCHEMA], options)
        self._show([TEMPLATE_SCHEMA], options)
        return self._behind_line(self._behind(everything=False), options)

    def _behind_line(self, behind: list[str], options: dict[str, Any]) -> dict[str, str]:
        if behind:
            self.stdout.write(f"{len(behind)} schema(s) are behind: {', '.join(behind[:20])}")
        if behind and options["check_unapplied"]:
            sys.exit(1)
        return {}

    def _show(self, schemas: Iterable[str], options: dict[str, Any]) -> dict[str, str]:
        for schema in schemas:
            self.stdout.write(f"Schema {schema}:")
            connection.set_schema(schema)
            super().handle(**options)
        connection.set_schema_to_public()
        return {}

    @staticmethod
    def _execute(sql: str, parameters: list[Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)


def schema_migrate(schema: str, options: dict[str, Any]) -> tuple[str, str, float]:
    """Migrate one schema and write its digest. Returns (schema, reason of the failure or "", seconds)."""
    started = time.monotonic()
    output = StringIO()
    try:
        if not schema_exists(schema):
            raise CommandError("the schema does not exist")
        connection.set_schema(schema, include_public=False)
        # Its own record of migrations first: otherwise public's would answer, "everything is applied".
        MigrationRecorder(connection).ensure_schema()
        connection.set_schema(schema)
        stream = sys.stdout if options["verbosity"] >= 2 else output
        DjangoMigrate(stdout=stream, stderr=stream).execute(**options)
        reason = ""
    except Exception as error:
        # Whatever a migration raises belongs to this schema; the others go on and the command exits with an error.
        reason = f"{type(error).__name__}: {error}".strip().replace("\n", " ")
        # Keep a connection that still works: the run's advisory lock lives in it.
        if not connection.is_usable():
            connection.close()
    finally:
        connection.set_schema_to_public()
    if not reason:
        Organization.objects.filter(schema_name=schema).update(schema_digest=applied_digest(schema))
        connection.set_schema_to_public()
    return schema, reason, time.monotonic() - started


def _in_processes(schemas: list[str], options: dict[str, Any], count: int) -> Iterator[tuple[str, str, float]]:
    # Django's migration state is not made for threads. Spawned, not forked: no database connection is shared.
    plain = {name: value for name, value in options.items() if name not in {"stdout", "stderr"}}
    with ProcessPoolExecutor(
        max_workers=count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=migration_process.begin,
        initargs=(connection.settings_dict["NAME"],),
    ) as pool:
        for future in as_completed([pool.submit(migration_process.migrate, schema, plain) for schema in schemas]):
            yield future.result()
