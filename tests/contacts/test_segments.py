"""Segments: every test against contacts that satisfy it and contacts that do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts.models import Contact, CustomField, Group, Suppression
from contacts.segments import segment_compile
from contacts.services.custom_fields import custom_normalise, field_rules, fields_ensure
from contacts.services.groups import group_create, group_members_add
from contacts.services.segments import contacts_count, segment_condition, segment_save
from messaging.models import Message
from tenants.errors import Conflict, InvalidInput, NotFound

NOW = datetime.now(UTC)


@pytest.fixture
def people(in_schema: Any, channel: Any) -> dict[str, int]:
    """Ada: everything set. Bo: nothing but a phone. Cy: no phone, inactive."""
    for key, type_ in (("company", "text"), ("points", "number"), ("born", "date"), ("vip", "boolean")):
        CustomField.objects.create(key=key, type=type_)
    ada = Contact.objects.create(
        name="Ada 100%_ok",
        phone="22997000001",
        email="ada@demo.test",
        tags=["gold", "new"],
        language="fr",
        custom={"company": "Demo", "points": 12.5, "born": "1990-05-01", "vip": True},
        last_seen_at=NOW - timedelta(days=2),
    )
    bo = Contact.objects.create(phone="22997000002", last_seen_at=NOW - timedelta(days=40))
    cy = Contact.objects.create(name="Cy", status="inactive")
    group = group_create(name="Clients")
    group_members_add(group_id=group.pk, contact_ids=[bo.pk])
    Suppression.objects.create(address="22997000002", reason="opt_out", scope="marketing")
    for contact, days in ((ada, 1), (bo, 100)):
        at = NOW - timedelta(days=days)
        Message.objects.create(
            channel=channel, contact=contact, direction="out", status="read", address=contact.phone, type="text",
            content={}, origin="api", sent_at=at, read_at=at,
        )  # fmt: skip
    return {"ada": ada.pk, "bo": bo.pk, "cy": cy.pk, "group": group.pk}


def found(rules: Any) -> str:
    from django.db import connection

    condition = segment_compile(rules, custom=field_rules())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT COALESCE(NULLIF(left(name, 3), ''), 'Bo') FROM contacts_contact contact"
            f" WHERE {condition.sql} ORDER BY id",
            condition.params,
        )
        return " ".join(name.strip() for (name,) in cursor.fetchall())


def where(field: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("name", "is", "cy", "Cy"),
        ("name", "is_not", "CY", "Ada Bo"),
        ("name", "contains", "100%_", "Ada"),
        ("name", "contains", "100_", ""),
        ("name", "starts_with", "a", "Ada"),
        ("name", "in", ["CY", "nobody"], "Cy"),
        ("email", "is_set", None, "Ada"),
        ("phone", "is_not_set", None, "Cy"),
        ("language", "is", "FR", "Ada"),
        ("status", "is", "inactive", "Cy"),
        ("status", "is_not", "inactive", "Ada Bo"),
        ("custom.company", "is", "demo", "Ada"),
        ("custom.company", "is_not_set", None, "Bo Cy"),
        ("custom.points", "at_least", 12.5, "Ada"),
        ("custom.points", "at_least", 13, ""),
        ("custom.points", "at_most", 13, "Ada"),
        ("custom.points", "is_not", 1, "Ada Bo Cy"),
        ("custom.born", "on_or_before", "1990-05-01", "Ada"),
        ("custom.born", "on_or_after", "1990-05-02", ""),
        ("custom.vip", "is", True, "Ada"),
        ("custom.vip", "is", False, "Bo Cy"),
        ("tags", "has", "gold", "Ada"),
        ("tags", "has_not", "gold", "Bo Cy"),
        ("last_seen_at", "last_days", 7, "Ada"),
        ("last_seen_at", "before_days", 7, "Bo Cy"),
        ("created_at", "last_days", 1, "Ada Bo Cy"),
        ("read", "last_days", 30, "Ada"),
        ("read", "not_last_days", 30, "Bo Cy"),
        ("failed", "last_days", 30, ""),
        ("suppressed", "is", True, "Bo"),
        ("suppressed", "is", False, "Ada Cy"),
    ],
)
def test_each_test_finds_exactly_its_contacts(people, field, op, value, expected):
    assert found(where(field, op, value)) == expected


def test_groups_of_contacts_and_boolean_groups_of_rules(people):
    member = where("group", "in", people["group"])
    assert found(member) == "Bo"
    assert found(where("group", "not_in", people["group"])) == "Ada Cy"
    vip = where("custom.points", "at_least", 1)
    assert found({"any": [member, vip]}) == "Ada Bo"
    assert found({"all": [member, vip]}) == ""
    # "Not" is the rest: also those for whom the test has no answer.
    assert found({"not": vip}) == "Bo Cy"


def test_all_problems_are_named_at_once(people):
    rules = {
        "all": [
            where("shoe", "is", 1),
            where("name", "above", 1),
            where("custom.born", "on_or_after", "May"),
            {"any": []},
            "x",
            where("custom.points", "is", "1 OR 1=1"),
        ]
    }
    with pytest.raises(InvalidInput) as caught:
        segment_compile(rules, custom=field_rules())
    assert sorted(caught.value.fields) == [
        "rules.all.0.field",
        "rules.all.1.op",
        "rules.all.2.value",
        "rules.all.3.any",
        "rules.all.4",
        "rules.all.5.value",
    ]


def test_a_filter_cannot_be_nested_or_grown_without_end(people):
    deep: Any = where("name", "is_set")
    for _ in range(10):
        deep = {"not": deep}
    wide = {"all": [where("name", "is_set")] * 51}
    for rules in (deep, wide):
        with pytest.raises(InvalidInput):
            segment_compile(rules, custom={})


def test_a_segment_is_saved_and_counted_up_to_a_cap(people):
    segment = segment_save(name="Readers", rules=where("read", "last_days", 365))
    condition = segment_condition(segment_id=segment.pk)
    assert contacts_count(condition=condition) == 2
    assert contacts_count(condition=condition, cap=1) == 2
    with pytest.raises(Conflict):
        segment_save(name="readers", rules=where("name", "is_set"))
    with pytest.raises(NotFound):
        segment_condition(segment_id=404)
    with pytest.raises(InvalidInput):
        segment_save(name="Broken", rules={})


def test_custom_values_are_stored_in_the_form_of_their_type(people):
    rules = fields_ensure(keys=["company", "points", "city"])
    CustomField.objects.create(key="size", type="choice", choices=["S", "M"])
    rules = field_rules()
    assert custom_normalise(
        {"company": " Demo ", "points": "1 234,50", "born": "1990-05-01T10:00", "vip": "Oui", "size": "m", "city": ""},
        rules,
    ) == {"company": "Demo", "points": 1234.5, "born": "1990-05-01", "vip": True, "size": "M"}
    with pytest.raises(InvalidInput) as caught:
        custom_normalise({"points": "many", "born": "soon", "vip": "maybe", "size": "XL", "hat": 1}, rules)
    assert sorted(caught.value.fields) == [f"custom_fields.{key}" for key in ("born", "hat", "points", "size", "vip")]


def test_a_field_name_that_cannot_be_used_is_refused(in_schema):
    with pytest.raises(InvalidInput) as caught:
        fields_ensure(keys=["Company Name", "ok"])
    assert list(caught.value.fields) == ["custom_fields.Company Name"]
    assert CustomField.objects.count() == 0


def test_groups_of_another_organisation_are_not_there(people, other_organization):
    from django_tenants.utils import tenant_context

    with tenant_context(other_organization):
        assert Group.objects.count() == 0
        assert contacts_count(condition=segment_compile(where("name", "is_set"), custom={})) == 0


def test_a_value_left_from_when_a_field_had_another_type_does_not_break_the_filter(people):
    Contact.objects.filter(pk=people["bo"]).update(custom={"points": "many", "born": "2024-02-31", "vip": "perhaps"})
    assert found(where("custom.points", "at_least", 1)) == "Ada"
    assert found(where("custom.born", "on_or_after", "1900-01-01")) == "Ada"
    assert found(where("custom.vip", "is", False)) == "Bo Cy"
