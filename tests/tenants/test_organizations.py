from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context

from tenants.errors import Conflict, InvalidInput
from tenants.models import AgendaItem, Domain, Membership, Organization, Plan, Subscription, User
from tenants.services.organizations import (
    customer_organizations,
    organization_create,
    organization_delete,
    organization_purge,
    organization_restore,
    organization_resume,
    organization_suspend,
    public_ensure,
    purge_due,
    purge_when_due,
)
from tenants.services.schemas import schema_exists

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-test-password"


def make_organization(slug: str = "acme", **fields: Any) -> Organization:
    return organization_create(name=slug.title(), slug=slug, **fields)


def test_a_new_organisation_is_complete() -> None:
    plan = Plan.objects.create(code="small", name="Small", users=3)
    made = organization_create(
        name=" Acme ",
        slug="acme-two",
        owner_email="Owner@Acme.test",
        owner_password=PASSWORD,
        plan=plan,
        default_country="FR",
        time_zone="Europe/Paris",
        language="fr",
    )
    stored = Organization.objects.get(slug="acme-two")
    assert (stored.pk, stored.name, stored.schema_name, stored.status) == (made.pk, "Acme", "t_acme_two", "active")
    assert (stored.default_country, stored.time_zone, stored.language) == ("FR", "Europe/Paris", "fr")
    assert schema_exists("t_acme_two")
    assert list(Domain.objects.filter(tenant=made).values_list("domain", "is_primary")) == [
        ("acme-two.localhost", True)
    ]
    assert Subscription.objects.get(organization=made).plan == plan
    owner = Membership.objects.get(organization=made)
    assert (owner.user.email, owner.role) == ("owner@acme.test", "owner")
    assert owner.user.check_password(PASSWORD)
    assert not owner.user.is_superuser


def test_an_existing_account_becomes_owner_and_keeps_its_password() -> None:
    user = User.objects.create_user("known@acme.test", PASSWORD)
    made = make_organization(owner_email="Known@acme.test", owner_password="another-long-password")
    assert Membership.objects.get(organization=made).user == user
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"slug": "Acme"}, "invalid_organization", "slug"),
        ({"slug": "1acme"}, "invalid_organization", "slug"),
        ({"slug": "ac"}, "invalid_organization", "slug"),
        ({"slug": "a" * 41}, "invalid_organization", "slug"),
        ({"slug": "www"}, "slug_reserved", "slug"),
        ({"slug": "demo"}, "slug_taken", "slug"),
        ({"name": "  "}, "invalid_organization", "name"),
        ({"time_zone": "Mars/Base"}, "invalid_organization", "time_zone"),
        ({"default_country": "XX"}, "invalid_organization", "default_country"),
        ({"language": "xx"}, "invalid_organization", "language"),
        ({"owner_email": "nobody"}, "invalid_owner", "owner_email"),
        ({"owner_email": "a@b.test", "owner_password": "short"}, "invalid_owner", "owner_password"),
    ],
)
def test_wrong_input_is_refused_by_name_and_leaves_nothing(
    organization: Organization, fields: dict[str, str], code: str, field: str
) -> None:
    before = (Organization.objects.count(), Domain.objects.count(), User.objects.count(), schemas())
    with pytest.raises(InvalidInput) as refused:
        organization_create(**{"name": "Acme", "slug": "acme"} | fields)
    assert refused.value.code == code
    assert field in refused.value.fields
    assert (Organization.objects.count(), Domain.objects.count(), User.objects.count(), schemas()) == before


def schemas() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def test_a_failure_at_the_last_step_leaves_no_schema_and_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **options: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Membership, "save", broken)
    before = schemas()
    with pytest.raises(OSError, match="disk"):
        make_organization(owner_email="a@b.test")
    assert schemas() == before
    assert not Organization.objects.filter(slug="acme").exists()
    assert not Domain.objects.filter(domain="acme.localhost").exists()


def test_creation_from_inside_an_organisation_is_a_programming_error(organization: Organization) -> None:
    with schema_context(organization.schema_name), pytest.raises(RuntimeError, match="public schema"):
        make_organization()


def test_suspending_and_resuming_change_the_state_once() -> None:
    made = make_organization()
    assert organization_suspend(organization=made, reason="unpaid").status_reason == "unpaid"
    assert not made.is_usable
    with pytest.raises(Conflict):
        organization_suspend(organization=made, reason="again")
    assert organization_resume(organization=made).is_usable
    assert (made.status_reason, made.suspended_at) == ("", None)
    with pytest.raises(Conflict):
        organization_resume(organization=made)


def test_suspending_needs_a_reason() -> None:
    made = make_organization()
    with pytest.raises(InvalidInput):
        organization_suspend(organization=made, reason=" ")
    assert Organization.objects.get(pk=made.pk).is_usable


def test_the_public_site_and_the_template_cannot_be_suspended_or_deleted() -> None:
    for schema in ("public", "template_tenant"):
        row = Organization.objects.get(schema_name=schema)
        with pytest.raises(Conflict):
            organization_suspend(organization=row, reason="no")
        with pytest.raises(Conflict):
            organization_delete(organization=row)
    assert not customer_organizations().filter(schema_name__in=["public", "template_tenant"]).exists()


def test_a_deleted_organisation_keeps_its_data_and_is_on_the_agenda(settings: Any) -> None:
    settings.ORGANIZATION_PURGE_DAYS = 7
    made = organization_delete(organization=make_organization(), reason="asked by the owner")
    assert made.status == "deleted"
    assert made.purge_at - made.deleted_at == timedelta(days=7)
    assert schema_exists(made.schema_name)
    item = AgendaItem.objects.get(kind="organization_purge", key=str(made.uuid))
    assert (item.schema, item.due_at) == ("public", made.purge_at)
    with pytest.raises(Conflict):
        organization_delete(organization=made)


@pytest.mark.parametrize(("suspended", "status"), [(False, "active"), (True, "suspended")])
def test_a_restored_organisation_is_what_it_was_and_off_the_agenda(suspended: bool, status: str) -> None:
    made = make_organization()
    if suspended:
        organization_suspend(organization=made, reason="unpaid")
    restored = organization_restore(organization=organization_delete(organization=made))
    assert (restored.status, restored.deleted_at, restored.purge_at) == (status, None, None)
    assert not AgendaItem.objects.filter(kind="organization_purge", key=str(made.uuid)).exists()


@pytest.mark.parametrize("deleted", [False, True])
def test_nothing_is_purged_before_its_time(deleted: bool) -> None:
    made = make_organization()
    if deleted:
        organization_delete(organization=made)
    with pytest.raises(Conflict) as refused:
        organization_purge(organization=made)
    assert refused.value.code == "purge_too_early"
    assert schema_exists(made.schema_name)
    assert purge_due() == []


def due_for_purge(slug: str = "acme", **fields: Any) -> Organization:
    made = organization_delete(organization=make_organization(slug, **fields))
    Organization.objects.filter(pk=made.pk).update(purge_at=timezone.now() - timedelta(seconds=1))
    made.refresh_from_db()
    return made


def test_a_purge_removes_schema_rows_and_accounts_that_belonged_to_it_alone(organization: Organization) -> None:
    made = due_for_purge(owner_email="only@acme.test", owner_password=PASSWORD)
    shared = User.objects.create_user("both@acme.test", PASSWORD)
    Membership.objects.create(user=shared, organization=made, role="viewer")
    Membership.objects.create(user=shared, organization=organization, role="viewer")
    AgendaItem.objects.create(schema=made.schema_name, kind="channel", key="1")
    assert purge_due() == [made]

    organization_purge(organization=made)

    assert not schema_exists("t_acme")
    assert not Organization.objects.filter(slug="acme").exists()
    assert not Domain.objects.filter(domain="acme.localhost").exists()
    assert not AgendaItem.objects.filter(schema="t_acme").exists()
    assert not User.objects.filter(email="only@acme.test").exists()
    assert User.objects.get(email="both@acme.test").is_active
    # The name is free again.
    assert make_organization().schema_name == "t_acme"


def test_an_account_named_in_another_organisation_s_history_is_deactivated(organization: Organization) -> None:
    from django.contrib.admin.models import CHANGE, LogEntry

    made = due_for_purge(owner_email="guest@acme.test", owner_password=PASSWORD)
    guest = User.objects.get(email="guest@acme.test")
    with schema_context(organization.schema_name):
        LogEntry.objects.create(user=guest, action_flag=CHANGE, object_repr="x", change_message="")
    organization_purge(organization=made)
    guest.refresh_from_db()
    assert not guest.is_active
    with schema_context(organization.schema_name):
        assert LogEntry.objects.filter(user=guest).count() == 1


def test_the_agenda_purges_what_is_due_and_leaves_what_was_restored() -> None:
    due = due_for_purge()
    restored = organization_restore(organization=organization_delete(organization=make_organization("back")))
    later = organization_delete(organization=make_organization("later"))

    assert purge_when_due("public", str(due.uuid)) is None
    assert purge_when_due("public", str(restored.uuid)) is None
    assert purge_when_due("public", str(later.uuid)) == later.purge_at
    assert [schema_exists(name) for name in ("t_acme", "t_back", "t_later")] == [False, True, True]


def test_the_public_row_has_its_hosts_and_is_made_once(settings: Any) -> None:
    settings.PUBLIC_BASE_URL = "https://app.griot.example:8443"
    first = public_ensure()
    assert public_ensure() == first
    hosts = set(first.domains.values_list("domain", flat=True))
    assert {"localhost", "127.0.0.1", "app.griot.example"} <= hosts
    assert first.domains.filter(is_primary=True).count() == 1


def test_resuming_has_every_lane_looked_at_again(organization, make_channel):
    make_channel(organization)
    lane = AgendaItem.objects.get(kind="channel", schema=organization.schema_name)
    # As a lane is left that was given back in the moment of the suspension.
    AgendaItem.objects.filter(pk=lane.pk).update(due_at=None)
    organization_suspend(organization=organization, reason="test")
    organization_resume(organization=organization)
    lane.refresh_from_db()
    assert lane.due_at is not None
