"""The audit log: what is recorded, what is hidden, and that an alteration shows."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context

from audit.actor import Actor, Kind, actor_bound, actor_name
from audit.models import AuditChain, AuditEntry
from audit.redaction import redacted
from audit.services.recording import Change, audit_record, changes_record, differences
from audit.services.sealing import KIND, chain_verify, entries_seal
from contacts.models import Contact
from tenants.models import AgendaItem


def entries(count: int) -> None:
    changes_record(
        changes=[
            Change("contact.updated", "contacts.contact", number, f"Ada {number}", {"n": number}, {"n": number + 1})
            for number in range(count)
        ]
    )


def test_a_change_is_kept_with_who_from_where_and_both_values(in_schema):
    contact = Contact.objects.create(name="Ada", phone="22997000001")
    with actor_bound(Actor(address="10.0.0.7", agent="curl/8", request_id="r-1234567")):
        actor_name(kind=Kind.API_KEY, id=7, label="Shop back end", membership_id=3)
        audit_record(action="contact.updated", subject=contact, old={"name": "Ad"}, new={"name": "Ada"})
    [entry] = AuditEntry.objects.all()
    assert (entry.action, entry.object_type, entry.object_id, entry.object_label) == (
        "contact.updated", "contacts.contact", str(contact.pk), "Ada",
    )  # fmt: skip
    assert (entry.old_values, entry.new_values) == ({"name": "Ad"}, {"name": "Ada"})
    assert (entry.actor_kind, entry.actor_id, entry.actor_label, entry.membership_id) == (
        "api_key", 7, "Shop back end", 3,
    )  # fmt: skip
    assert (entry.address, entry.agent, entry.request_id) == ("10.0.0.7", "curl/8", "r-1234567")


def test_nobody_named_means_the_system_and_a_block_leaves_no_actor_behind(in_schema):
    with actor_bound(Actor(kind=Kind.USER, label="ada@demo.test")):
        pass
    entries(1)
    assert AuditEntry.objects.get().actor_kind == "system"


def test_secrets_are_blanked_by_name_at_any_depth_and_long_values_are_cut():
    values = {
        "name": "Ada",
        "password": "x",
        "access_token": "EAA",
        "config": {"app_secret": "s", "list": [{"api_key": "k"}]},
        "api_key_id": 5,
        "pin": "123456",
        "secret": "",
        "big": 2**60,
        "text": "x" * 5000,
        "nul": "a\x00b",
    }
    shown = redacted(values)
    assert shown is not None
    assert shown["password"] == shown["access_token"] == shown["pin"] == "[redacted]"
    assert shown["config"] == {"app_secret": "[redacted]", "list": [{"api_key": "[redacted]"}]}
    assert (shown["name"], shown["api_key_id"], shown["secret"], shown["nul"]) == ("Ada", 5, "", "ab")
    assert shown["big"] == str(2**60)
    assert len(shown["text"]) == 2001


def test_only_what_differs_is_shown():
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == ({"b": 2, "c": None}, {"b": 3, "c": 4})


def test_an_entry_goes_with_the_change_that_failed(in_schema):
    with pytest.raises(RuntimeError), transaction.atomic():
        entries(1)
        raise RuntimeError("the change failed")
    assert AuditEntry.objects.count() == 0


def test_entries_are_sealed_in_order_and_the_chain_holds(in_schema):
    entries(5)
    assert entries_seal(limit=3) == 3
    assert entries_seal(limit=3) == 2
    assert entries_seal() == 0
    assert list(AuditEntry.objects.order_by("id").values_list("position", flat=True)) == [1, 2, 3, 4, 5]
    assert chain_verify() is None


@pytest.mark.parametrize(
    ("harm", "position", "reason"),
    [
        (lambda rows: rows.filter(position=2).update(new_values={"n": 99}), 2, "altered"),
        (lambda rows: rows.filter(position=3).update(actor_label="somebody else"), 3, "altered"),
        (lambda rows: rows.filter(position=4).update(created_at=timezone.now() - timedelta(days=1)), 4, "altered"),
        (lambda rows: rows.filter(position=3).delete(), 3, "missing before"),
        (lambda rows: rows.filter(position=5).delete(), 5, "missing at the end"),
        (lambda rows: rows.filter(position=5).update(hash="0" * 64), 5, "altered"),
        (lambda rows: AuditChain.objects.update(last_hash="0" * 64), 5, "end of the chain"),
        (lambda rows: AuditChain.objects.all().delete(), 1, "own row is missing"),
    ],
)
def test_the_first_alteration_is_named(in_schema, harm, position, reason):
    entries(5)
    entries_seal()
    harm(AuditEntry.objects.all())
    found = chain_verify()
    assert found is not None
    assert found.position == position
    assert reason in found.reason


def test_two_entries_that_changed_places_are_found(in_schema):
    entries(3)
    entries_seal()
    first, second = AuditEntry.objects.filter(position__in=(1, 2)).order_by("position")
    AuditEntry.objects.filter(pk=first.pk).update(position=None)
    AuditEntry.objects.filter(pk=second.pk).update(position=1, hash=first.hash)
    AuditEntry.objects.filter(pk=first.pk).update(position=2, hash=second.hash)
    found = chain_verify()
    assert found is not None
    assert found.position == 1


def test_many_at_once_write_and_seal_and_the_chain_holds(committed: tuple[Any, Any]):
    organization, _ = committed
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with schema_context(organization.schema_name):
                for _ in range(5):
                    entries(3)
                    entries_seal(limit=4)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with schema_context(organization.schema_name):
        while entries_seal():
            pass
        assert AuditEntry.objects.filter(position__isnull=False).count() == 90
        assert chain_verify() is None


def test_writing_has_the_chain_sealed_within_seconds(committed: tuple[Any, Any]):
    organization, _ = committed
    with tenant_context(organization):
        entries(1)
        entries(1)
    [item] = AgendaItem.objects.filter(schema=organization.schema_name, kind=KIND)
    assert timezone.now() < item.due_at < timezone.now() + timedelta(seconds=6)
    AgendaItem.objects.filter(pk=item.pk).update(due_at=timezone.now() + timedelta(days=1))
    with tenant_context(organization):
        entries(1)
    item.refresh_from_db()
    assert item.due_at < timezone.now() + timedelta(seconds=6)


def test_the_command_names_the_organisation_and_the_first_altered_entry(committed: tuple[Any, Any], capsys):
    organization, other = committed
    for one in (organization, other):
        with tenant_context(one):
            entries(3)
    call_command("audit_verify", other.slug)
    assert "3 entries, the chain holds" in capsys.readouterr().out
    with tenant_context(organization):
        entries_seal()
        AuditEntry.objects.filter(position=2).update(action="contact.deleted")
    with pytest.raises(CommandError, match="1 audit log"):
        call_command("audit_verify")
    captured = capsys.readouterr()
    assert f"{other.slug}: 3 entries, the chain holds" in captured.out
    assert f"{organization.slug}: broken at place 2" in captured.err
    with pytest.raises(CommandError, match="no such organisation: nobody"):
        call_command("audit_verify", "nobody")


def test_keys_members_and_organisations_leave_entries_in_the_organisations_own_log(organization, other_organization):
    from tenants.models import Membership
    from tenants.services.keys import api_key_create, api_key_revoke
    from tenants.services.memberships import membership_create, membership_suspend
    from tenants.services.organizations import organization_resume, organization_suspend

    key, plain = api_key_create(
        organization=organization, surface="transactional", name="Shop", mode="test", scopes=["messages:send"]
    )
    api_key_revoke(api_key=key)
    from tenants.models import User

    member = membership_create(
        organization=organization, user=User.objects.create_user("new@demo.test"), role=Membership.Role.SENDER
    )
    membership_suspend(membership=member)
    membership_suspend(membership=member)
    organization_suspend(organization=organization, reason="unpaid")
    organization_resume(organization=organization)
    with tenant_context(organization):
        found = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
        text = str(list(AuditEntry.objects.values()))
    assert found == [
        "api_key.created", "api_key.revoked", "sub_account.created", "sub_account.suspended",
        "organization.suspended", "organization.resumed",
    ]  # fmt: skip
    assert plain not in text
    assert plain.rsplit("_", 1)[1] not in text
    with tenant_context(other_organization):
        assert AuditEntry.objects.count() == 0


def test_old_entries_go_from_the_beginning_and_the_rest_of_the_chain_still_holds(in_schema):
    from tenants.services.retention_rules import retention_rule

    entries(10)
    AuditEntry.objects.filter(pk__in=AuditEntry.objects.order_by("id").values("pk")[:6]).update(
        created_at=timezone.now() - timedelta(days=800)
    )
    entries_seal()
    rule, before = retention_rule("audit"), timezone.now() - timedelta(days=730)
    assert rule.ripe(before=before, position={}, most=100) == 6
    assert rule.oldest(position={}) < before
    first = rule.step(before=before, position={}, limit=4)
    second = rule.step(before=before, position={}, limit=4)
    third = rule.step(before=before, position={}, limit=4)
    assert [(step.removed, step.finished) for step in (first, second, third)] == [(4, False), (2, True), (0, True)]
    assert AuditEntry.objects.count() == 4
    assert chain_verify() is None
    AuditEntry.objects.filter(position=7).delete()
    found = chain_verify()
    assert found is not None
    assert found.position == 7
