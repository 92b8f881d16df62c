"""Migrating one schema: what a process of `migrate` does for each organisation."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import OperationalError, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
from psycopg import errors

from tenants.connection import connection
from tenants.models import Organization
from tenants.services.schemas import migrations_digest, schema_exists

# Somebody else is at work there; nothing is wrong with the migration, and a later try succeeds.
_BUSY: Final = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
# What makes Django's own command necessary instead of "apply what is missing".
_SPECIAL: Final = ("app_label", "fake", "fake_initial", "run_syncdb", "prune")

# The project's state before the first missing migration, rendered: a tenth of a second for each schema otherwise.
# Schemas that have the same migrations share it, and all but a few do.
_states: dict[frozenset[tuple[str, str]], ProjectState] = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a schema. `error` is empty when it is at the head; `busy`: locked by others, worth another try."""

    schema: str
    seconds: float
    error: str = ""
    busy: bool = False


class SchemaExecutor(MigrationExecutor):
    """Django's executor, but a migration and the record that it was applied are one transaction.

    Django writes the record after the commit when a migration has deferred statements (indexes, foreign keys): a
    process killed in between leaves a schema whose next run stumbles over what is there already.
    """

    def apply_migration(
        self, state: ProjectState, migration: Migration, fake: bool = False, fake_initial: bool = False
    ) -> ProjectState:
        """As Django's. Migrations that declare `atomic = False` stay in pieces."""
        with transaction.atomic() if migration.atomic else nullcontext():
            changed: ProjectState = super().apply_migration(state, migration, fake, fake_initial)
            return changed


def schema_migrate(schema: str, options: Mapping[str, Any], *, lock_seconds: float) -> Outcome:
    """Migrate one schema and write its digest. Never raises for what goes wrong in that schema.

    A statement that waits longer than `lock_seconds` for a table gives up, so that an organisation's own traffic never
    queues behind a migration for long; its transaction is undone and the outcome is `busy`.
    """
    started = time.monotonic()
    error, busy = "", False
    try:
        with _alone(schema, lock_seconds):
            _migrate(schema, options)
    except Exception as raised:
        # Whatever a migration raises belongs to this schema; the others go on and the command exits with an error.
        error = f"{type(raised).__name__}: {raised}".strip().replace("\n", " ")
        busy = is_busy(raised)
        # Keep a connection that still works: the run's advisory lock lives in it.
        if not connection.is_usable():
            connection.close()
    finally:
        connection.set_schema_to_public()
    if error and not Organization.objects.filter(schema_name=schema).exists():
        # Purged meanwhile: there is nothing left to migrate.
        error, busy = "", False
    return Outcome(schema, time.monotonic() - started, error, busy)


def is_busy(error: BaseException) -> bool:
    """Whether the database gave up because of somebody else's locks."""
    return isinstance(error, OperationalError) and isinstance(error.__cause__, _BUSY)


@contextmanager
def lock_timeout(seconds: float) -> Iterator[None]:
    """Statements on this connection wait for locks no longer than that."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{round(seconds * 1000)}ms"])
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")


@contextmanager
def _alone(schema: str, lock_seconds: float) -> Iterator[None]:
    """Keep every other process away from this schema's migrations, also one whose parent was killed."""
    name = f"migrate {schema}"
    with lock_timeout(lock_seconds):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        try:
            yield
        finally:
            connection.set_schema_to_public()
            if connection.is_usable():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _migrate(schema: str, options: Mapping[str, Any]) -> None:
    if not schema_exists(schema):
        raise CommandError("the schema does not exist")
    connection.set_schema(schema, include_public=False)
    # Its own record of migrations first: otherwise public's would answer, "everything is applied".
    recorder = MigrationRecorder(connection)
    recorder.ensure_schema()
    connection.set_schema(schema)
    if any(options.get(name) for name in _SPECIAL):
        stream = sys.stdout if options["verbosity"] >= 2 else StringIO()
        DjangoMigrate(stdout=stream, stderr=stream).execute(**options)
    else:
        _apply_missing()
    digest = migrations_digest(recorder.applied_migrations())
    connection.set_schema_to_public()
    Organization.objects.filter(schema_name=schema).update(schema_digest=digest)


def _apply_missing() -> None:
    """Every migration that the current schema lacks. No signals: content types and permissions are public's."""
    executor = SchemaExecutor(connection)
    executor.loader.check_consistent_history(connection)
    if conflicts := executor.loader.detect_conflicts():
        named = "; ".join(f"{', '.join(names)} in {app}" for app, names in conflicts.items())
        raise CommandError(f"conflicting migrations ({named}): run makemigrations --merge")
    targets = executor.loader.graph.leaf_nodes()
    plan = executor.migration_plan(targets)
    if plan:
        executor.migrate(targets, plan=plan, state=_state(executor).clone())


def _state(executor: MigrationExecutor) -> ProjectState:
    applied = frozenset(executor.loader.applied_migrations)
    if applied not in _states:
        # One at a time: a long row of releases must not pile up.
        _states.clear()
        graph = executor.loader.graph
        state = executor.loader.project_state([node for node in graph.nodes if node in applied])
        state.apps  # noqa: B018  rendered now, so that the copies have it
        _states[applied] = state
    return _states[applied]
