"""`manage.py migrate`: the public schema, the template, then only the organisations that are behind."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import OperationalError
from django_tenants.utils import get_public_schema_name

from tenants.beat import schedules_ensure
from tenants.connection import connection
from tenants.migration_process import in_processes
from tenants.migration_progress import LINE_SECONDS, Progress
from tenants.models import Organization
from tenants.schema_migration import Outcome, is_busy, lock_timeout, schema_migrate
from tenants.services.organizations import public_ensure
from tenants.services.schemas import (
    TEMPLATE_LOCK,
    TEMPLATE_SCHEMA,
    code_digest,
    schema_create_empty,
    schema_exists,
    template_organization,
    template_seed,
    tenant_app_labels,
)

# One migrate at a time per database: two releases at once would run the same migration twice.
_LOCK: Final = 0x6772696F74
# Shorter than PostgreSQL's deadlock_timeout (1 s): a request that waits for us in turn gets on before it is chosen as a
# victim, and nobody queues behind us for longer.
_LOCK_SECONDS: Final = 0.8
_TRIES: Final = 6
_PAUSE_SECONDS: Final = 2.0


def positive(text: str) -> int:
    """A whole number of 1 or more, for the command line."""
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def seconds(text: str) -> float:
    """More than 0 and at most an hour, for the command line."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds between 0 and 3600")
    return value


class Command(DjangoMigrate):
    """Django's `migrate` over all schemas.

    An organisation's row holds a digest of the tenant migrations that its schema has. One query finds those that
    differ from the code; a run with nothing to do never touches the others. A schema that fails is reported and
    skipped, so the next run continues with exactly those that are left; so does a run after one that was killed.
    """

    help = "Migrates the public schema, the template of new organisations, and every organisation that is behind."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("-s", "--schema", dest="schema_name", help="Only this schema.")
        parser.add_argument("--shared", action="store_true", help="Only the public schema.")
        parser.add_argument("--tenant", action="store_true", help="Only the template and the organisations.")
        parser.add_argument("--parallel", type=positive, default=1, help="Migrate that many organisations at once.")
        parser.add_argument(
            "--lock-timeout", type=seconds, default=_LOCK_SECONDS,
            help="Seconds that a statement waits for a table in use before that organisation is put off (default 0.8).",
        )  # fmt: skip
        parser.add_argument(
            "--tries", type=positive, default=_TRIES,
            help="How often one whose tables are in use is tried before it is reported (default 6).",
        )  # fmt: skip
        parser.add_argument(
            "--progress-every", type=seconds, default=LINE_SECONDS,
            help="Seconds between lines of progress where the output is not a terminal (default 10).",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs on one schema, on public, on the organisations, or on all, as the options say."""
        own = ("schema_name", "shared", "tenant", "parallel", "lock_timeout", "tries", "progress_every")
        self.options = {name: options.pop(name) for name in own}
        self.verbosity = options["verbosity"]
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
            if not Organization.objects.filter(schema_name=only).exists():
                raise CommandError(f"no organisation has the schema {only}")
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
        for tries_left in range(self.options["tries"] - 1, -1, -1):
            try:
                with lock_timeout(self.options["lock_timeout"]):
                    super().handle(**options)
                break
            except OperationalError as error:
                if not is_busy(error):
                    raise
                if not tries_left:
                    raise CommandError(f"the public schema is in use, run migrate again: {error}".strip()) from error
                self._pause()
        # `migrate tenants zero` and the like leave no table to write the rows into.
        if not read_only and not options["app_label"]:
            public_ensure()
            schedules_ensure()

    def _migrate_tenants(self, options: dict[str, Any]) -> dict[str, str]:
        # An organisation that is being made has its row before we look who is behind, or gets the new template.
        self._execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        try:
            failed = self._migrate_template(options)
        finally:
            connection.set_schema_to_public()
            self._execute("SELECT pg_advisory_unlock(%s)", [TEMPLATE_LOCK])
        # The organisations would fail in the same way.
        return failed or self._migrate_all(self._behind(everything=bool(options["app_label"])), options)

    def _migrate_template(self, options: dict[str, Any]) -> dict[str, str]:
        template = template_organization()
        if options["app_label"] or template.schema_digest != code_digest() or not schema_exists(TEMPLATE_SCHEMA):
            schema_create_empty(TEMPLATE_SCHEMA)
            if failed := self._migrate_all([TEMPLATE_SCHEMA], options):
                return failed
        if not options["app_label"]:
            template_seed()
        return {}

    def _behind(self, *, everything: bool) -> list[str]:
        found = Organization.objects.exclude(schema_name__in=[get_public_schema_name(), TEMPLATE_SCHEMA]).order_by("id")
        if not everything:
            found = found.exclude(schema_digest=code_digest())
        return list(found.values_list("schema_name", flat=True))

    def _migrate_all(self, schemas: list[str], options: dict[str, Any]) -> dict[str, str]:
        """Migrate each; schema -> reason for those that failed. Those whose tables are in use are tried again last."""
        failed: dict[str, str] = {}
        progress = Progress(len(schemas), self.stdout, every=self.options["progress_every"]) if schemas else None
        waiting: Sequence[str] = schemas
        for tries_left in range(self.options["tries"] - 1, -1, -1):
            busy = []
            for outcome in self._outcomes(waiting, options):
                if outcome.busy and tries_left:
                    busy.append(outcome.schema)
                    continue
                if outcome.error:
                    failed[outcome.schema] = outcome.error
                self._report(progress, outcome)
            if not busy:
                break
            waiting = busy
            self._pause()
        if progress is not None and self.verbosity >= 1:
            progress.end()
        return failed

    def _report(self, progress: Progress | None, outcome: Outcome) -> None:
        if progress is None or self.verbosity < 1:
            return
        if outcome.error:
            text = self.style.ERROR(f"FAILED {outcome.error}")
        elif self.verbosity >= 2 or progress.total == 1:
            text = "ok"
        else:
            text = ""
        progress.add(failed=bool(outcome.error))
        if text:
            progress.say(f"  [{progress.done}/{progress.total}] {outcome.schema} {text} ({outcome.seconds:.2f} s)")

    def _outcomes(self, schemas: Sequence[str], options: dict[str, Any]) -> Iterator[Outcome]:
        wait = self.options["lock_timeout"]
        if self.options["parallel"] <= 1 or len(schemas) <= 1:
            for schema in schemas:
                yield schema_migrate(schema, options, lock_seconds=wait)
            return
        plain = {name: value for name, value in options.items() if name not in {"stdout", "stderr"}}
        database = connection.settings_dict["NAME"]
        yield from in_processes(schemas, plain, count=self.options["parallel"], database=database, lock_seconds=wait)

    @staticmethod
    def _pause() -> None:
        # Whoever holds the tables needs a moment; the other organisations have had their turn.
        time.sleep(_PAUSE_SECONDS)

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
