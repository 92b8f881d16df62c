"""What must not depend on how many organisations there are, and what happens when several change at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.celery import app
from tenants.beat import SCHEDULES
from tenants.errors import Conflict, InvalidInput
from tenants.models import Membership, Organization, User
from tenants.services import schemas as schemas_service
from tenants.services.organizations import organization_create, organization_delete, organization_purge
from tenants.services.schemas import schema_drop, schema_exists

PASSWORD = "a-long-test-password"


@pytest.fixture
def cleared(committed: Any) -> Iterator[None]:
    """Organisations and accounts that a test commits are gone afterwards."""
    organizations = set(Organization.objects.values_list("pk", flat=True))
    users = set(User.objects.values_list("pk", flat=True))
    yield
    connection.set_schema_to_public()
    for organization in Organization.objects.exclude(pk__in=organizations):
        schema_drop(organization.schema_name)
        organization.delete()
    User.objects.exclude(pk__in=users).delete()


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment in threads; their results, or what they raised."""
    results: list[Any] = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = acts[place]()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.parametrize("task", sorted(task for task, _, _ in SCHEDULES.values()))
def test_what_beat_starts_costs_the_same_however_many_idle_organisations_there_are(db: None, task: str) -> None:
    app.loader.import_default_modules()

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            app.tasks[task]()
        return len(captured)

    statements()
    before = statements()
    for number in range(3):
        organization_create(name=f"Idle {number}", slug=f"idle-{number}")
    # The first time after a clone sets the search path again.
    statements()
    assert statements() == before <= 5


def test_organisations_made_at_once_with_one_new_owner_share_one_account(cleared: None) -> None:
    made = together(
        *(
            lambda slug=slug: organization_create(
                name=slug, slug=slug, owner_email="Both@Together.test", owner_password=PASSWORD
            )
            for slug in ("together-a", "together-b", "together-c")
        )
    )
    assert [organization.slug for organization in made] == ["together-a", "together-b", "together-c"]
    owner = User.objects.get(email="both@together.test")
    assert Membership.objects.filter(user=owner).count() == 3
    assert owner.check_password(PASSWORD)


def test_one_short_name_wanted_twice_at_once_is_given_once(cleared: None) -> None:
    made = together(*(lambda: organization_create(name="Once", slug="only-once"),) * 3)
    assert [result.code for result in made if isinstance(result, InvalidInput)] == ["slug_taken"] * 2
    assert Organization.objects.filter(slug="only-once").count() == 1


def deleted(slug: str) -> Organization:
    """An organisation whose grace period is over."""
    organization = organization_delete(organization=organization_create(name=slug, slug=slug))
    Organization.objects.filter(pk=organization.pk).update(purge_at=timezone.now() - timedelta(seconds=1))
    return organization


def test_a_purge_gives_up_while_somebody_reads_and_leaves_everything(
    cleared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas_service, "DROP_LOCK_SECONDS", 0.5)
    organization = deleted("still-read")
    parameters = connection.get_connection_params()
    keys = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{key: parameters[key] for key in keys}) as reader:
        reader.execute("SELECT * FROM t_still_read.messaging_message")
        with pytest.raises(Conflict) as refused:
            organization_purge(organization=organization)
        assert refused.value.code == "schema_busy"
    assert schema_exists("t_still_read") and Organization.objects.filter(pk=organization.pk).exists()
    organization_purge(organization=organization)
    assert not schema_exists("t_still_read") and not Organization.objects.filter(pk=organization.pk).exists()


def test_several_purges_at_once_do_not_stop_each_other(cleared: None) -> None:
    gone = [deleted(f"gone-{number}") for number in range(4)]
    assert together(*(lambda row=row: organization_purge(organization=row) for row in gone)) == [None] * 4
    assert not Organization.objects.filter(slug__startswith="gone-").exists()


def test_a_purge_fits_into_the_lock_table_of_an_untuned_server(cleared: None) -> None:
    schema = organization_create(name="Locks", slug="locks").schema_name
    with transaction.atomic(), connection.cursor() as cursor:
        schema_drop(schema)
        cursor.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")
        held = cursor.fetchone()[0]
        transaction.set_rollback(True)
    # PostgreSQL's default: max_locks_per_transaction 64 for each of 100 connections; other work needs its share.
    assert 100 < held < 64 * 100 / 2
