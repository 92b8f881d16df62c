"""Contacts: created, changed, deleted; what is recorded, told and refused."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django_tenants.utils import schema_context

from audit.models import AuditEntry
from contacts.models import Contact, CustomField, Group, Identity
from contacts.services.contacts import contact_create, contact_delete, contact_update, contacts_delete
from messaging.models import Message
from tenants.errors import Conflict, InvalidInput, LimitReached, NotFound
from tenants.models import Plan
from tenants.services.plans import plan_forget


def of_contacts(actions):
    """Without the entries of the groups that contacts join and leave."""
    return [action for action in actions if action.startswith("contact.")]


def test_a_contact_is_created_with_group_fields_audit_and_event(in_schema, told, audited):
    contact = contact_create(
        organization=in_schema,
        name=" Ada  Doe ",
        phone="+241 62 00 00 00",
        email="ada@example.com",
        group="Clients",
        status="active",
        tags=["vip", "vip", " new "],
        custom_fields={"company": "Demo Shop", "empty": ""},
    )
    contact.refresh_from_db()
    assert (contact.name, contact.phone, contact.email) == ("Ada Doe", "24162000000", "ada@example.com")
    assert (contact.status, contact.tags, contact.custom) == ("active", ["new", "vip"], {"company": "Demo Shop"})
    assert list(Identity.objects.values_list("contact_id", "kind", "value")) == [(contact.pk, "phone", "24162000000")]
    group = Group.objects.get()
    assert (group.name, group.member_count, contact.primary_group_id) == ("Clients", 1, group.pk)
    assert CustomField.objects.get(key="company").type == "text"
    assert of_contacts(audited()) == ["contact.created"]
    assert told() == [
        (
            "contact.created",
            {
                "contact": {
                    "id": str(contact.uuid),
                    "number": contact.pk,
                    "name": "Ada Doe",
                    "phone": "24162000000",
                    "email": "ada@example.com",
                    "group": "Clients",
                    "status": "active",
                    "custom_fields": {"company": "Demo Shop"},
                    "tags": ["new", "vip"],
                    "language": "",
                    "timezone": "",
                    "created_at": contact.created_at.isoformat(),
                }
            },
        )
    ]


def test_a_local_number_is_read_in_the_organisations_country(in_schema):
    assert contact_create(organization=in_schema, phone="97 12 34 56").phone == "22997123456"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "phone"),
        ({"phone": "12"}, "phone"),
        ({"phone": "22997000001", "email": "no"}, "email"),
        ({"phone": "22997000001", "name": "x" * 161}, "name"),
        ({"phone": "22997000001", "status": "gone"}, "status"),
        ({"phone": "22997000001", "tags": ["x" * 41]}, "tags"),
        ({"phone": "22997000001", "language": "français"}, "language"),
        ({"phone": "22997000001", "timezone": "Africa/Nowhere"}, "timezone"),
        ({"phone": "22997000001", "custom_fields": {"No!": 1}}, "custom_fields.No!"),
        ({"phone": "22997000001", "custom_fields": {"age": "old"}}, "custom_fields.age"),
        ({"phone": "22997000001", "group": "g" * 81}, "name"),
    ],
)
def test_bad_values_are_refused_with_their_field_and_nothing_is_written(in_schema, told, audited, values, field):
    CustomField.objects.create(key="age", type="number")
    with pytest.raises(InvalidInput) as refusal:
        contact_create(organization=in_schema, **values)
    assert list(refusal.value.fields) == [field]
    assert (Contact.objects.count(), Group.objects.count(), CustomField.objects.count()) == (0, 0, 1)
    assert (told(), audited()) == ([], [])


def test_a_number_in_use_is_refused_by_name(in_schema):
    contact_create(organization=in_schema, phone="22997000001")
    other = contact_create(organization=in_schema, phone="22997000002")
    with pytest.raises(Conflict) as refusal:
        contact_create(organization=in_schema, phone="+229 97 00 00 01")
    assert (refusal.value.code, refusal.value.fields) == ("contact_exists", {"phone": "is taken"})
    with pytest.raises(Conflict):
        contact_update(organization=in_schema, contact_id=other.pk, phone="22997000001")
    assert Contact.objects.get(pk=other.pk).phone == "22997000002"
    assert Identity.objects.count() == 2


def test_the_plan_limits_contacts(in_schema):
    Plan.objects.update(contacts=1)
    plan_forget()
    contact_create(organization=in_schema, phone="22997000001")
    with pytest.raises(LimitReached):
        contact_create(organization=in_schema, phone="22997000002")
    plan_forget()


def test_a_change_leaves_the_rest_and_tells_what_changed(in_schema, told, audited):
    contact = contact_create(
        organization=in_schema, phone="22997000001", name="Ada", group="A", custom_fields={"a": "1", "b": "2"}
    )
    contact_update(
        organization=in_schema, contact_id=contact.pk, status="inactive", custom_fields={"a": None, "c": "3"}, group="B"
    )
    contact.refresh_from_db()
    assert (contact.name, contact.status, contact.custom) == ("Ada", "inactive", {"b": "2", "c": "3"})
    assert list(Group.objects.order_by("name").values_list("name", "member_count")) == [("A", 0), ("B", 1)]
    kind, data = told()[-1]
    assert (kind, data["changed"]) == ("contact.updated", ["custom_fields", "group", "status"])
    entry = AuditEntry.objects.order_by("id").last()
    assert (entry.old_values["status"], entry.new_values["status"]) == ("active", "inactive")
    assert "name" not in entry.new_values
    contact_update(organization=in_schema, contact_id=contact.pk, status="inactive", group="B")
    assert len(told()) == 2
    assert of_contacts(audited()) == ["contact.created", "contact.updated"]


def test_a_new_phone_takes_the_place_of_the_old_one(in_schema):
    contact = contact_create(organization=in_schema, phone="22997000001")
    contact_update(organization=in_schema, contact_id=contact.pk, phone="22997000002")
    assert list(Identity.objects.values_list("value", flat=True)) == ["22997000002"]
    assert contact_create(organization=in_schema, phone="22997000001").pk != contact.pk


def test_deleting_tells_lowers_the_counts_and_keeps_messages(in_schema, channel, told, audited):
    first = contact_create(organization=in_schema, phone="22997000001", name="Ada", group="A")
    second = contact_create(organization=in_schema, phone="22997000002", group="A")
    Message.objects.create(
        channel=channel, contact=first, direction="out", status="sent", address="22997000001", type="text",
        content={}, origin="api",
    )  # fmt: skip
    assert contacts_delete(contact_ids=[first.pk, 10**9]) == 1
    assert (Group.objects.get().member_count, Contact.objects.get().pk) == (1, second.pk)
    assert Message.objects.get().contact_id is None
    assert told()[-1] == (
        "contact.deleted",
        {"contact": {"id": str(first.uuid), "number": first.pk, "name": "Ada", "phone": "22997000001"}},
    )
    assert audited()[-1] == "contact.deleted"
    with pytest.raises(NotFound):
        contact_delete(contact_id=first.pk)
    with pytest.raises(NotFound):
        contact_update(organization=in_schema, contact_id=first.pk, name="x")


def test_the_same_number_at_once_makes_one_contact(committed):
    organization, _ = committed
    made: list[int] = []
    refused: list[str] = []

    def create() -> None:
        with schema_context(organization.schema_name):
            try:
                made.append(contact_create(organization=organization, phone="22997000009", group="Both").pk)
            except Conflict as error:
                refused.append(error.code)
        connection.close()

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), refused) == (1, ["contact_exists"] * 5)
    with schema_context(organization.schema_name):
        assert (Contact.objects.count(), Group.objects.get().member_count) == (1, 1)


def test_lists_are_filtered_searched_and_paged_without_counting(in_schema, django_assert_num_queries):
    for number, name in enumerate(("Ada Doe", "adam", "Bo", "Cy")):
        contact_create(
            organization=in_schema,
            phone=f"2299700000{number}",
            name=name,
            email=f"{name[:2].lower()}{number}@example.com",
            group="Even" if number % 2 == 0 else None,
            tags=["vip"] if number > 1 else [],
            custom_fields={"company": "X" if number == 3 else "Y"},
        )
    Contact.objects.filter(name="Bo").update(status="inactive")
    even = Group.objects.get().pk

    def names(queryset) -> list[str]:
        return [contact.name for contact in queryset.newest(10).rows]

    assert names(Contact.objects.with_status("inactive")) == ["Bo"]
    assert names(Contact.objects.in_group(even)) == ["Bo", "Ada Doe"]
    assert names(Contact.objects.in_group(even).tagged("vip")) == ["Bo"]
    assert names(Contact.objects.with_custom("company", "X")) == ["Cy"]
    assert names(Contact.objects.searched("ada")) == ["adam", "Ada Doe"]
    assert names(Contact.objects.searched("+229 97 00 00 03")) == ["Cy"]
    assert names(Contact.objects.searched("bo2@")) == ["Bo"]
    assert names(Contact.objects.searched("%")) == []
    with django_assert_num_queries(1):
        first = Contact.objects.page(1, 3)
        assert [contact.primary_group_id for contact in first.rows] == [None, even, None]
    assert first.has_more
    assert [contact.name for contact in Contact.objects.page(2, 3).rows] == ["Ada Doe"]
    second = Contact.objects.before(first.rows[-1].pk).newest(3)
    assert ([contact.name for contact in second.rows], second.has_more) == (["Ada Doe"], False)
    assert (Contact.objects.count_up_to(2), Contact.objects.count_up_to(9)) == (3, 4)
