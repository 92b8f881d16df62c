"""`manage.py migrate` on committed organisations; whatever a test makes, it drops again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants import schema_migration
from tenants.management.commands import migrate as command
from tenants.models import Organization
from tenants.schema_migration import Outcome
from tenants.services.organizations import organization_create
from tenants.services.schemas import TEMPLATE_SCHEMA, applied_digest, code_digest, schema_drop

ROOT = Path(__file__).resolve().parents[2]
SLUGS = ("move-one", "move-two", "move-three")


@pytest.fixture
def moved(committed: Any) -> Iterator[list[Organization]]:
    """Three more organisations, gone afterwards."""
    made = [organization_create(name=slug, slug=slug) for slug in SLUGS]
    yield made
    connection.set_schema_to_public()
    for organization in made:
        schema_drop(organization.schema_name)
        organization.delete()


def run(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command("migrate", *arguments, verbosity=options.pop("verbosity", 1), stdout=out, **options)
    return out.getvalue()


def make_stale(*organizations: Organization) -> None:
    Organization.objects.filter(pk__in=[row.pk for row in organizations]).update(schema_digest="older")


def digests(organizations: list[Organization]) -> list[bool]:
    """For each, whether it holds what the code has."""
    stored = dict(Organization.objects.values_list("pk", "schema_digest"))
    return [stored[row.pk] == code_digest() for row in organizations]


def test_nothing_to_do_touches_no_organisation(moved: list[Organization], monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[str] = []
    monkeypatch.setattr(
        command, "schema_migrate", lambda schema, options, **_: touched.append(schema) or Outcome(schema, 0)
    )
    run(tenant=True)
    assert touched == []


def test_the_number_of_queries_does_not_grow_with_the_organisations(moved: list[Organization]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            run(tenant=True)
        return len(captured)

    with_three = queries()
    schema_drop(moved[0].schema_name)
    Organization.objects.filter(pk=moved[0].pk).delete()
    assert queries() == with_three <= 12


def test_only_those_behind_are_migrated(moved: list[Organization]) -> None:
    make_stale(moved[1])
    shown = run(tenant=True)
    assert "[1/1] t_move_two ok" in shown
    assert "t_move_one" not in shown and "t_move_three" not in shown
    assert digests(moved) == [True, True, True]


def test_a_schema_that_fails_is_reported_and_the_others_go_on(
    moved: list[Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stale(*moved)
    execute = schema_migration._apply_missing

    def fail_for_two() -> None:
        if connection.schema_name == "t_move_two":
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        execute()

    monkeypatch.setattr(schema_migration, "_apply_missing", fail_for_two)
    with pytest.raises(
        CommandError, match=r"1 schema\(s\) are not migrated.*\n.*t_move_two: DataError: division by zero"
    ):
        run(tenant=True)
    assert digests(moved) == [True, False, True]

    monkeypatch.undo()
    # The next run does exactly what is left.
    shown = run(tenant=True)
    assert "[1/1] t_move_two ok" in shown
    assert digests(moved) == [True, True, True]


def test_a_row_without_its_schema_is_reported(moved: list[Organization]) -> None:
    schema_drop(moved[2].schema_name)
    make_stale(moved[2])
    with pytest.raises(CommandError, match="t_move_three: CommandError: the schema does not exist"):
        run(tenant=True)


def test_going_back_and_forth_keeps_the_digests_true(moved: list[Organization]) -> None:
    everywhere = [*moved, Organization.objects.get(schema_name=TEMPLATE_SCHEMA)]
    try:
        run("otp", "zero", verbosity=0)
        assert digests(everywhere) == [False] * 4
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('t_move_one.otp_otppolicy')")
            assert cursor.fetchone()[0] is None
    finally:
        run(verbosity=0)
    assert digests(everywhere) == [True] * 4
    assert applied_digest("t_move_one") == code_digest()
    # The template has its first rows again, for organisations made from now on.
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TEMPLATE_SCHEMA}.otp_otppolicy")
        assert cursor.fetchone()[0] == 1
        # What going back destroyed in these two is given back to the tests that come after.
        for row in Organization.objects.filter(slug__in=["demo", "demo-two"]):
            cursor.execute(
                f"INSERT INTO {row.schema_name}.otp_otppolicy OVERRIDING SYSTEM VALUE"
                f" SELECT * FROM {TEMPLATE_SCHEMA}.otp_otppolicy ON CONFLICT DO NOTHING"
            )


def test_check_fails_while_somebody_is_behind_and_changes_nothing(moved: list[Organization]) -> None:
    run(check_unapplied=True, verbosity=0)
    make_stale(moved[0])
    with pytest.raises(SystemExit) as ended:
        run(check_unapplied=True, verbosity=0)
    assert ended.value.code == 1
    assert digests(moved) == [False, True, True]


def test_plan_names_those_behind_and_changes_nothing(moved: list[Organization]) -> None:
    make_stale(moved[0], moved[2])
    assert "2 schema(s) are behind: t_move_one, t_move_three" in run(plan=True)
    assert digests(moved) == [False, True, False]


def test_one_schema_can_be_migrated_by_name(moved: list[Organization]) -> None:
    make_stale(moved[0], moved[1])
    run(schema_name="t_move_one", verbosity=0)
    assert digests(moved) == [True, False, True]


def test_several_processes_migrate_all_that_is_behind(moved: list[Organization]) -> None:
    make_stale(*moved)
    shown = run(tenant=True, parallel=2, verbosity=2)
    assert sorted(line.split()[1] for line in shown.splitlines() if " ok " in line) == [
        "t_move_one",
        "t_move_three",
        "t_move_two",
    ]
    assert digests(moved) == [True, True, True]


def test_two_migrates_at_once_wait_for_each_other(committed: Any) -> None:
    database = {**settings.DATABASES["default"], "NAME": connection.settings_dict["NAME"]}
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [command._LOCK])
    environment = {**os.environ, "DATABASE_URL": url}
    second = subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, stderr=subprocess.PIPE
    )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=5)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [command._LOCK])
        _, error = second.communicate(timeout=30)
        assert (second.returncode, error) == (0, b"")
    finally:
        second.kill()
        second.communicate()
