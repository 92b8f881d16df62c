"""The page that puts a segment's rules together: what it offers, what it answers while rules are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils.translation import override
from django_tenants.utils import tenant_context

from contacts.admin.segment_catalogue import segment_catalogue, segment_words
from contacts.models import Contact, CustomField
from contacts.segments import Condition
from contacts.services.groups import group_create
from contacts.services.segments import contacts_count
from tenants.errors import InvalidInput

PREVIEW = "/admin/contacts/segment/preview/"
NESTED = {
    "all": [
        {"field": "status", "op": "is", "value": "active"},
        {
            "not": {
                "any": [
                    {"field": "tags", "op": "has", "value": "vip"},
                    {"field": "sent", "op": "last_days", "value": 7},
                ]
            }
        },
    ]
}


def previewed(browser: Client, rules: Any) -> dict[str, Any]:
    answer = browser.post(PREVIEW, {"rules": rules if isinstance(rules, str) else json.dumps(rules)})
    assert answer.status_code == 200
    return dict(answer.json())


def test_the_number_of_matches_is_answered_while_rules_are_written(
    organization: Any, browser_of: Callable[..., Client]
) -> None:
    with tenant_context(organization):
        Contact.objects.create(name="Ada", phone="22997000001", tags=["vip"])
        Contact.objects.create(name="Bo", phone="22997000002")
    browser = browser_of("manager")
    assert previewed(browser, NESTED) == {"ok": True, "text": "1 contact", "problems": {}}
    anybody = {"any": [{"field": "name", "op": "is_set"}]}
    assert previewed(browser, anybody)["text"] == "2 contacts"


def test_what_is_wrong_is_told_with_its_place(browser_of: Callable[..., Client]) -> None:
    rules = {
        "all": [{"field": "name", "op": "is", "value": ""}, {"not": {"any": [{"field": "sent", "op": "last_days"}]}}]
    }
    found = previewed(browser_of("manager"), rules)
    assert not found["ok"]
    assert found["problems"] == {
        "rules.all.0.value": "is required",
        "rules.all.1.not.any.0.value": "must be a number of days from 1 to 3650",
    }


@pytest.mark.parametrize("rules", ["", "{", "[" * 20_000, "7", "null", '{"all": {}}', '{"not": []}'])
def test_rules_that_are_none_are_told_and_break_nothing(browser_of: Callable[..., Client], rules: str) -> None:
    found = previewed(browser_of("manager"), rules)
    assert not found["ok"]
    assert found["text"]


def test_the_count_needs_the_right_to_see_segments_and_a_login(organization: Any, login: Callable[..., Client]) -> None:
    anonymous = Client(HTTP_HOST=organization.host)
    assert anonymous.post(PREVIEW, {"rules": "{}"}).status_code == 302
    from tenants.models import User

    stranger = User.objects.create_user("stranger@elsewhere.example", None)
    assert login(stranger, organization).post(PREVIEW, {"rules": "{}"}).status_code in (302, 403)


def test_a_count_that_takes_too_long_is_given_up(in_schema: Any) -> None:
    Contact.objects.create(phone="22997000001")
    slow = Condition("pg_sleep(2) IS NOT NULL")
    assert contacts_count(condition=slow, seconds=0.1) is None
    # The connection can be used on, and the limit is not left behind.
    assert contacts_count(condition=Condition("pg_sleep(0.2) IS NOT NULL"), seconds=5) == 1


def test_the_catalogue_offers_what_the_fields_of_the_organisation_are(in_schema: Any) -> None:
    CustomField.objects.create(key="city", label="City", type="choice", choices=["Cotonou", "Lagos"])
    CustomField.objects.create(key="points", type="number")
    Contact.objects.create(phone="22997000001", tags=["vip"], language="fr")
    fields = {item["name"]: item for item in segment_catalogue()["fields"]}
    assert fields["custom.city"]["label"] == "City"
    assert fields["custom.city"]["choices"] == [["Cotonou", "Cotonou"], ["Lagos", "Lagos"]]
    assert fields["custom.points"]["number"]
    assert fields["tags"]["suggestions"] == ["vip"]
    assert fields["language"]["suggestions"] == ["fr"]
    # Without groups there is nothing to choose.
    assert "group" not in fields
    group = group_create(name="Clients")
    assert {item["name"]: item for item in segment_catalogue()["fields"]}["group"]["choices"] == [[group.pk, "Clients"]]


def test_saved_rules_are_shown_in_words(in_schema: Any) -> None:
    assert list(segment_words(NESTED)) == [
        (0, "All of these:"),
        (1, "Status is Active"),
        (1, "None of these:"),
        (2, "Tags include vip"),
        (2, "Was sent a message within the last 7 days"),
    ]


def test_a_page_shows_rules_as_words_and_escapes_them(organization: Any, browser_of: Callable[..., Client]) -> None:
    from contacts.services.segments import segment_save

    with tenant_context(organization):
        segment = segment_save(name="Odd", rules={"field": "name", "op": "is", "value": "<script>alert(1)</script>"})
    page = browser_of("viewer").get(f"/admin/contacts/segment/{segment.pk}/change/").content.decode()
    assert "Name is &lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_reasons_of_services_are_said_in_the_readers_language() -> None:
    from config.admin_forms import ServiceForm
    from config.reasons import reason_said

    with override("en"):
        assert reason_said("must have at most 80 characters") == "must have at most 80 characters"
    with override("fr"):
        # What nobody has words for stays as it is; nothing is lost.
        assert reason_said("something never heard of") == "something never heard of"
        form = ServiceForm(data={})
        with form.service_errors():
            raise InvalidInput("x", "something never heard of")
        assert form.non_field_errors() == ["something never heard of"]
