"""A release over many organisations: killed in the middle, with failures, in parallel, beside new organisations."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tenants.migration_process import in_processes
from tenants.migration_progress import Progress
from tenants.models import Organization
from tenants.schema_migration import schema_migrate
from tenants.services.organizations import organization_create
from tenants.services.schemas import TEMPLATE_LOCK, code_digest, schema_drop
from tests.tenants.moved import MovedRelease, applied, has_column
from tests.tenants.test_schemas import migrate_options

NUMBER = 4


@pytest.fixture
def schemas(committed: Any) -> Iterator[list[str]]:
    """The schemas of NUMBER more organisations; every organisation that the test makes is gone afterwards."""
    before = set(Organization.objects.values_list("pk", flat=True))
    yield [organization_create(name=f"Many {i}", slug=f"many-{i}").schema_name for i in range(NUMBER)]
    connection.set_schema_to_public()
    for organization in Organization.objects.exclude(pk__in=before):
        schema_drop(organization.schema_name)
        organization.delete()


@pytest.fixture
def release(schemas: list[str], tmp_path: Path) -> Iterator[MovedRelease]:
    """The next release, undone afterwards."""
    made = MovedRelease(tmp_path)
    yield made
    made.undo()


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def done(schemas: list[str], name: str) -> list[str]:
    return [schema for schema in schemas if applied(schema, name)]


def client_pids() -> set[int]:
    """Processes other than this one that are connected to the test database, by the server's numbers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return {row[0] for row in cursor.fetchall()}


def test_a_killed_run_is_resumed_with_those_that_are_left(schemas: list[str], release: MovedRelease) -> None:
    name = release.add("first", seconds=0.7, index=True)
    before = client_pids()
    killed = release.start("manage.py", "migrate", "--parallel", "2")
    try:
        wait_until(lambda: len(done(schemas, name)) >= 1)
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.communicate()
    # Its processes end with it instead of going on unseen.
    wait_until(lambda: client_pids() <= before, seconds=10)
    finished = {schema: applied(schema, name) for schema in done(schemas, name)}
    assert 1 <= len(finished) < NUMBER
    # Migration and record are one transaction: nobody is in between.
    assert [has_column(schema, "first") for schema in schemas] == [schema in finished for schema in schemas]

    code, output, errors = release.run("migrate", "--parallel", "2")

    assert (code, errors) == (0, "")
    assert [len(applied(schema, name)) for schema in schemas] == [1] * NUMBER
    assert all(has_column(schema, "first") for schema in schemas)
    assert {schema: applied(schema, name) for schema in finished} == finished, "those were not touched again"
    again = release.run("migrate", "--tenant", "-v", "2")[1]
    assert "t_many" not in again, "nothing is left to do"


def test_organisations_that_fail_are_named_and_skipped_and_the_exit_code_says_so(
    schemas: list[str], release: MovedRelease
) -> None:
    name = release.add("second")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {schemas[1]}.otp_otppolicy ADD COLUMN second text")
        cursor.execute(f"ALTER TABLE {schemas[3]}.otp_otppolicy RENAME TO otp_elsewhere")
    code, output, errors = release.run("migrate", "--parallel", "2")
    assert code == 1
    assert "2 schema(s) are not migrated; run migrate again" in errors
    assert f'{schemas[1]}: ProgrammingError: column "second" of relation "otp_otppolicy" already exists' in errors
    assert f'{schemas[3]}: ProgrammingError: relation "otp_otppolicy" does not exist' in errors
    assert "2 of them failed" in output
    assert done(schemas, name) == [schemas[0], schemas[2]]

    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {schemas[1]}.otp_otppolicy DROP COLUMN second")
        cursor.execute(f"ALTER TABLE {schemas[3]}.otp_elsewhere RENAME TO otp_otppolicy")
    code, output, errors = release.run("migrate", "--tenant", "-v", "2")
    assert (code, errors) == (0, "")
    assert [line.split()[1] for line in output.splitlines() if " ok " in line] == [schemas[1], schemas[3]]


def test_two_processes_never_migrate_one_schema_twice(
    schemas: list[str], release: MovedRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = release.add("third", seconds=0.5)
    for variable, value in release.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.syspath_prepend(str(release.directory))
    # As after a kill whose orphans are not gone yet: both processes have the same schema in hand.
    twice = [schema for schema in schemas[:2] for _ in range(2)]
    outcomes = list(
        in_processes(twice, {"verbosity": 0}, count=2, database=connection.settings_dict["NAME"], lock_seconds=20)
    )
    assert sorted((outcome.schema, outcome.error) for outcome in outcomes) == [(schema, "") for schema in twice]
    assert [len(applied(schema, name)) for schema in schemas] == [1, 1, 0, 0]


def test_an_organisation_made_while_a_release_runs_has_the_head(schemas: list[str], release: MovedRelease) -> None:
    name = release.add("fourth", seconds=0.5)
    running = release.start("manage.py", "migrate")
    wait_until(lambda: bool(applied("template_tenant", name)))
    made = release.start(
        "-c",
        "import django; django.setup()\n"
        "from tenants.services.organizations import organization_create\n"
        "organization_create(name='Fresh', slug='fresh')",
    )
    assert (*made.communicate(timeout=120), made.returncode) == ("", "", 0)
    assert running.poll() is None, "the release still runs"
    # The release before cannot copy the new template any more.
    with pytest.raises(Exception, match="not migrated to this version"):
        organization_create(name="Old", slug="old-code")
    assert running.communicate(timeout=120)[1] == ""
    assert running.returncode == 0
    stored = dict(Organization.objects.values_list("schema_name", "schema_digest"))
    assert stored["t_fresh"] == stored[schemas[0]] != code_digest()
    assert has_column("t_fresh", "fourth") and len(applied("t_fresh", name)) == 1


def test_nobody_copies_the_template_while_it_is_migrated(schemas: list[str]) -> None:
    made: list[Organization] = []

    def create() -> None:
        try:
            made.append(organization_create(name="Waits", slug="waits"))
        finally:
            connection.close()

    def waited_for() -> bool:
        cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND mode = 'ShareLock'")
        return cursor.fetchone() is not None

    thread = threading.Thread(target=create)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        thread.start()
        wait_until(waited_for)
        assert made == []
        cursor.execute("SELECT pg_advisory_unlock(%s)", [TEMPLATE_LOCK])
    thread.join(20)
    assert made[0].schema_digest == code_digest()


@pytest.fixture
def reader(schemas: list[str]) -> Iterator[psycopg.Connection[Any]]:
    """Somebody in the middle of a transaction that has read a table of the first organisation."""
    parameters = connection.get_connection_params()
    keys = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{key: parameters[key] for key in keys}) as other:
        other.execute(f"SELECT * FROM {schemas[0]}.otp_otppolicy")
        yield other


def migrate_all(**options: Any) -> str:
    out = StringIO()
    call_command("migrate", tenant=True, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def locking(monkeypatch: pytest.MonkeyPatch, schemas: list[str]) -> None:
    """All organisations are behind, by a migration that wants the table of policies for itself alone."""

    def lock(options: Any = None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE otp_otppolicy IN ACCESS EXCLUSIVE MODE")

    from django.db import transaction

    from tenants import schema_migration

    monkeypatch.setattr(schema_migration, "_apply_missing", transaction.atomic(lock))
    Organization.objects.filter(schema_name__in=schemas).update(schema_digest="older")


def test_an_organisation_whose_tables_are_in_use_is_put_off_and_reported(
    schemas: list[str], reader: Any, locking: None
) -> None:
    started = time.monotonic()
    with pytest.raises(CommandError, match=rf"^1 schema.*\n  {schemas[0]}: OperationalError: .*lock timeout"):
        migrate_all(lock_timeout=0.2, tries=2)
    assert time.monotonic() - started < 10
    stored = dict(Organization.objects.values_list("schema_name", "schema_digest"))
    assert [schema for schema in schemas if stored[schema] != code_digest()] == [schemas[0]]
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone()[0] == "0", "the connection is left as it was"


def test_one_that_was_put_off_is_done_last_in_the_same_run(
    schemas: list[str], reader: psycopg.Connection[Any], locking: None
) -> None:
    threading.Timer(1, reader.rollback).start()
    shown = migrate_all(lock_timeout=0.2, tries=4, verbosity=2)
    order = [line.split()[1] for line in shown.splitlines() if " ok " in line]
    assert order == [*schemas[1:], schemas[0]]


def test_a_migration_is_undone_when_its_record_cannot_be_written(
    schemas: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, app: str, name: str) -> None:
        raise OSError("killed here")

    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'otp%%'", [schemas[0]])
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {schemas[0]}.{table} CASCADE")
        cursor.execute(f"DELETE FROM {schemas[0]}.django_migrations WHERE app = 'otp'")
    monkeypatch.setattr(MigrationRecorder, "record_applied", refuse)
    options = migrate_options()
    assert schema_migrate(schemas[0], options, lock_seconds=2).error == "OSError: killed here"
    assert not has_column(schemas[0], "id"), "the table is not there"


def test_a_process_that_is_killed_does_not_take_the_others_work_with_it(
    schemas: list[str], release: MovedRelease
) -> None:
    name = release.add("fifth", seconds=0.7)
    running = release.start("manage.py", "migrate", "--parallel", "2")
    wait_until(lambda: bool(applied("template_tenant", name)))
    wait_until(lambda: len(_children(running.pid)) >= 2)
    os.kill(_children(running.pid)[-1], signal.SIGKILL)
    assert running.communicate(timeout=120)[1] == ""
    assert running.returncode == 0
    assert [len(applied(schema, name)) for schema in schemas] == [1] * NUMBER


def _children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"spawn_main" in Path(f"/proc/{path}/cmdline").read_bytes():
            found.append(int(path))
    return found


def test_a_schema_that_was_purged_meanwhile_is_no_failure(schemas: list[str]) -> None:
    schema_drop(schemas[0])
    Organization.objects.filter(schema_name=schemas[0]).delete()
    assert schema_migrate(schemas[0], {"verbosity": 0}, lock_seconds=2).error == ""


def test_a_schema_that_nobody_has_is_refused_by_name(schemas: list[str]) -> None:
    with pytest.raises(CommandError, match="no organisation has the schema t_nobody"):
        call_command("migrate", schema_name="t_nobody")


@pytest.mark.parametrize("arguments", [["--parallel", "0"], ["--lock-timeout", "-1"], ["--tries", "x"]])
def test_numbers_that_make_no_sense_are_refused(db: None, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=f"argument {arguments[0]}: '{arguments[1]}' is not a"):
        call_command("migrate", *arguments)


class Screen(StringIO):
    """What the command writes to; a terminal or not."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def write(self, text: str, style: Any = None, ending: str | None = None) -> int:  # type: ignore[override]
        return super().write(text + ("\n" if ending is None else ending))

    def isatty(self) -> bool:
        return self._terminal


def test_progress_is_a_line_every_few_seconds_where_nobody_watches() -> None:
    now = [0.0]
    screen = Screen(terminal=False)
    progress = Progress(40, screen, every=10, clock=lambda: now[0])
    for number in range(40):
        now[0] += 0.75
        progress.add(failed=number == 3)
    progress.end()
    assert screen.getvalue().splitlines() == [
        "  [##########--------------------] 14/40 35 % 1.3/s 0:20 left, 1 failed",
        "  [#####################---------] 28/40 70 % 1.3/s 0:09 left, 1 failed",
        "  40 schemas in 30.0 s (1.3/s), 1 of them failed",
    ]


def test_progress_on_a_terminal_is_one_bar_that_is_drawn_again_below_the_failures() -> None:
    now = [0.0]
    screen = Screen(terminal=True)
    progress = Progress(4, screen, clock=lambda: now[0])
    for _ in range(3):
        now[0] += 0.05
        progress.add()
    progress.say("  t_odd FAILED")
    now[0] += 3600
    progress.add()
    progress.end()
    clear = "\r\x1b[K"
    bar = f"{clear}  [######################--------] 3/4 75 % 20.0/s 0:00 left"
    assert screen.getvalue() == (
        f"{clear}  [###############---------------] 2/4 50 % 20.0/s 0:00 left"
        f"{clear}  t_odd FAILED\n{bar}"
        f"{clear}  [##############################] 4/4 100 % 0.0/s 0:00 left"
        f"{clear}  4 schemas in 3600.2 s (0.0/s)\n"
    )
