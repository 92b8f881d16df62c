"""Custom fields and pasted numbers: what people write is understood, and what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django import forms
from django.test import Client
from django_tenants.utils import tenant_context

from contacts.admin.phone_fields import contact_line, contacts_of_lines
from contacts.models import Contact, CustomField
from contacts.services.identities import contacts_save

ADD = "/admin/contacts/customfield/add/"


def test_the_key_of_a_field_is_made_of_its_label(organization: Any, browser_of: Callable[[str], Client]) -> None:
    browser = browser_of("owner")
    assert browser.post(ADD, {"label": "Pointure Été", "type": "number"}).status_code == 302
    assert browser.post(ADD, {"label": "City", "key": "town", "type": "text"}).status_code == 302
    with tenant_context(organization):
        found = set(CustomField.objects.values_list("key", "label", "type"))
    assert found == {("pointure_ete", "Pointure Été", "number"), ("town", "City", "text")}


@pytest.mark.parametrize(
    ("label", "key", "word"),
    [("", "", "needs a label"), ("12", "", "needs a label"), ("x", "City Name", "Lower-case"), ("Town", "", "already")],
)
def test_a_key_that_cannot_be_is_told_at_its_field(
    organization: Any, browser_of: Callable[[str], Client], label: str, key: str, word: str
) -> None:
    with tenant_context(organization):
        CustomField.objects.create(key="town")
    answer = browser_of("owner").post(ADD, {"label": label, "key": key, "type": "text"})
    assert answer.status_code == 200
    assert word in str(answer.context["adminform"].form.errors["key"])
    with tenant_context(organization):
        assert CustomField.objects.count() == 1


def test_a_label_may_be_changed_and_the_key_stays(organization: Any, browser_of: Callable[[str], Client]) -> None:
    with tenant_context(organization):
        field = CustomField.objects.create(key="town", label="Town")
    page = f"/admin/contacts/customfield/{field.pk}/change/"
    answer = browser_of("owner").post(page, {"label": "City", "key": "other", "type": "text", "choices": ""})
    assert answer.status_code == 302
    with tenant_context(organization):
        field.refresh_from_db()
    assert (field.key, field.label) == ("town", "City")


def test_lines_of_contacts_are_read_as_they_are_written(in_schema: Any) -> None:
    ids = contacts_save(phones=["22961000001", "22961000002"])
    Contact.objects.filter(phone="22961000001").update(name="Ada, 3rd; of her name")
    nameless = Contact.objects.create(name="5 Stars")
    lines = "\n".join(contact_line(contact) for contact in Contact.objects.order_by("pk"))
    assert contacts_of_lines(lines, "BJ", most=10) == sorted([*ids.values(), nameless.pk])
    assert contacts_of_lines("61 00 00 01 Ada; +229 61000002", "BJ", most=10) == sorted(ids.values())
    for text, word in (("nonsense", "“nonsense”"), ("#999 · X", "#999 · X"), ("61000009", "61000009")):
        with pytest.raises(forms.ValidationError, match=word):
            contacts_of_lines(f"+22961000001\n{text}", "BJ", most=10)
    with pytest.raises(forms.ValidationError, match="At most 1"):
        contacts_of_lines(lines, "BJ", most=1)
