"""Importing files of contacts: what is stored, what is refused row by row, and what others are told."""

from __future__ import annotations

import pytest

from audit.models import AuditEntry
from contacts.imports import chunks as chunks_module
from contacts.models import Contact, CustomField, Group, GroupMember, Identity
from contacts.services import import_runs
from contacts.services.contacts import contact_create
from contacts.services.groups import group_create
from contacts.services.import_runs import problems_csv
from tenants.models import AgendaItem, Subscription
from tenants.services.plans import plan_forget
from tests.contacts.importing import counts, do_import, reasons

pytestmark = pytest.mark.usefixtures("storage")


def test_the_documented_file_makes_contacts_with_groups_and_identities(in_schema):
    done = do_import(
        in_schema,
        "name,email,phone,group,status\n"
        "Ada Sample,ada@example.com,+24162000001,Clients,active\n"
        "Grace Sample,grace@example.com,+24162000002,Partners,inactive\n",
    )

    assert (done.status, counts(done)) == ("completed", {"read": 2, "created": 2})
    ada, grace = Contact.objects.order_by("phone")
    assert (ada.name, ada.email, ada.phone, ada.status) == ("Ada Sample", "ada@example.com", "24162000001", "active")
    assert (grace.status, str(grace.primary_group)) == ("inactive", "Partners")
    assert list(Group.objects.values_list("name", "member_count")) == [("Clients", 1), ("Partners", 1)]
    assert list(Identity.objects.order_by("value").values_list("kind", "value", "contact_id")) == [
        ("phone", "24162000001", ada.pk),
        ("phone", "24162000002", grace.pk),
    ]
    assert not AgendaItem.objects.filter(kind=import_runs.IMPORT_KIND).exists()


def test_every_field_is_stored_in_its_form_and_custom_columns_keep_their_types(in_schema):
    CustomField.objects.create(key="birthday", type="date")
    CustomField.objects.create(key="visits", type="number")
    done = do_import(
        in_schema,
        "Prénom;Nom;Téléphone;Étiquettes;Langue;Fuseau horaire;birthday;visits;custom.shoe_size\n"
        "Ada;Sample;96123456;vip|new;fr;Africa/Porto-Novo;1990-02-03;4;38\n",
    )

    assert counts(done) == {"read": 1, "created": 1}
    contact = Contact.objects.get()
    assert (contact.name, contact.phone, contact.tags) == ("Ada Sample", "22996123456", ["new", "vip"])
    assert (contact.language, contact.timezone) == ("fr", "Africa/Porto-Novo")
    assert contact.custom == {"birthday": "1990-02-03", "visits": 4, "shoe_size": "38"}
    assert CustomField.objects.get(key="shoe_size").type == "text"


def test_people_who_are_contacts_are_updated_with_what_the_file_says_and_keep_the_rest(in_schema):
    contact = contact_create(
        organization=in_schema, phone="+22996123456", name="Ada", email="ada@example.com", group="Old", tags=["a"],
        custom_fields={"company": "One", "city": "Cotonou"},
    )  # fmt: skip
    done = do_import(
        in_schema,
        "phone,name,email,group,tags,custom.company\n+22996123456,Ada Sample,,New,b,Two\n+22996123456,,,,,\n",
    )

    assert counts(done) == {"read": 2, "updated": 1, "repeated": 1}
    contact.refresh_from_db()
    assert (contact.name, contact.email, contact.tags) == ("Ada Sample", "ada@example.com", ["a", "b"])
    assert contact.custom == {"company": "Two", "city": "Cotonou"}
    assert str(contact.primary_group) == "New"
    assert dict(Group.objects.values_list("name", "member_count")) == {"Old": 0, "New": 1}
    assert GroupMember.objects.count() == 1


def test_the_same_file_again_changes_nothing_and_tells_nobody(in_schema, told):
    text = "phone,name,group,tags\n+22996123456,Ada,Clients,vip\n"
    do_import(in_schema, text)
    before = told()

    assert counts(do_import(in_schema, text)) == {"read": 1, "unchanged": 1}
    assert [kind for kind, _ in before] == ["contact.created"]
    assert told() == before
    assert Group.objects.get().member_count == 1


def test_skip_leaves_contacts_as_they_are_but_the_last_row_of_the_file_still_wins(in_schema, monkeypatch):
    contact_create(organization=in_schema, phone="+22996123456", name="Ada")
    monkeypatch.setattr(chunks_module.ChunkReader.__init__, "__kwdefaults__", {"size": 1})
    group = group_create(name="Everybody")
    done = do_import(
        in_schema,
        "phone,name\n+22996123456,Other\n+22996123457,First\n+22996123457,Last\n",
        duplicates="skip",
        group_id=group.pk,
    )

    assert counts(done) == {"read": 3, "created": 1, "updated": 1, "skipped": 1}
    assert dict(Contact.objects.values_list("phone", "name")) == {"22996123456": "Ada", "22996123457": "Last"}
    group.refresh_from_db()
    assert group.member_count == 1


def test_a_contact_is_found_by_any_of_its_numbers(in_schema):
    contact = contact_create(organization=in_schema, phone="+22996123456", name="Ada")
    Identity.objects.create(contact=contact, kind="phone", value="33612345678")

    done = do_import(in_schema, "phone,name\n+33612345678,Ada Sample\n")

    assert counts(done) == {"read": 1, "updated": 1}
    contact.refresh_from_db()
    assert (contact.name, contact.phone, Contact.objects.count()) == ("Ada Sample", "22996123456", 1)


def test_rows_with_mistakes_are_told_with_row_column_and_reason_and_the_others_are_taken(in_schema):
    CustomField.objects.create(key="visits", type="number")
    done = do_import(
        in_schema,
        "phone,email,status,visits\n"
        "123,a@example.com,active,1\n"
        ",b@example.com,,\n"
        "+22996123456,not an address,sleepy,many\n"
        "\n"
        "+22996123457,c@example.com,,\n",
    )

    assert counts(done) == {"read": 4, "created": 1, "failed": 3}
    assert reasons(done) == [
        (2, "phone", "does not have the length of a number of its country"),
        (3, "phone", "is required"),
        (
            4,
            "email, status, visits",
            "email is not an e-mail address; status must be one of active, inactive; visits must be a number",
        ),
    ]


def test_the_file_of_mistakes_can_be_corrected_and_imported_and_holds_no_formula(in_schema):
    done = do_import(in_schema, 'name,phone\n"=HYPERLINK(""http://x"")",12\n@SUM(A1),+22996123456\n')
    lines = "".join(problems_csv(contact_import=done))

    assert lines == (
        '\ufeffrow,column,reason,name,phone\r\n2,phone,must have 8 to 20 characters,"\'=HYPERLINK(""http://x"")",12\r\n'
    )
    again = do_import(in_schema, lines.replace(",12\r\n", ",96123457\r\n"))
    assert counts(again) == {"read": 1, "created": 1}
    assert set(Contact.objects.values_list("name", flat=True)) == {'=HYPERLINK("http://x")', "@SUM(A1)"}


def test_what_the_plan_has_no_room_for_is_told_row_by_row(in_schema):
    plan = Subscription.objects.get(organization=in_schema).plan
    type(plan).objects.filter(pk=plan.pk).update(contacts=2)
    plan_forget()
    contact_create(organization=in_schema, phone="+22996123450", name="Known")
    try:
        done = do_import(
            in_schema, "phone,name\n+22996123451,a\n+22996123450,Changed\n+22996123452,b\n+22996123453,c\n"
        )
    finally:
        plan_forget()

    assert counts(done) == {"read": 4, "created": 1, "updated": 1, "failed": 2}
    assert [(row, reason) for row, _, reason in reasons(done)] == [
        (4, "the plan has no room for another contact"),
        (5, "the plan has no room for another contact"),
    ]
    assert set(Contact.objects.values_list("name", flat=True)) == {"a", "Changed"}


def test_events_are_told_in_full_and_the_audit_log_gets_one_entry_with_the_numbers(in_schema, told):
    contact_create(organization=in_schema, phone="+22996123456", name="Ada", email="a@example.com")
    before = len(told())
    AuditEntry.objects.all().delete()
    done = do_import(in_schema, "phone,name,group\n+22996123456,Ada Sample,Clients\n+22996123457,Grace,Clients\n")

    (first, updated), (second, created) = sorted(told()[before:], reverse=True)
    assert (first, updated["changed"]) == ("contact.updated", ["group", "name"])
    assert (second, created["contact"]["phone"], created["contact"]["group"]) == (
        "contact.created", "22996123457", "Clients",
    )  # fmt: skip
    entry = AuditEntry.objects.get(action__startswith="contact")
    assert (entry.action, entry.object_type, entry.object_id) == (
        "contacts.imported", "contacts.contactimport", str(done.pk),
    )  # fmt: skip
    assert entry.new_values | {"created": 1, "updated": 1, "read": 2, "status": "completed"} == entry.new_values
