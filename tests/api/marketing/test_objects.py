"""Contacts, groups, campaigns, templates, webhooks: odd values, repeated calls, and what they leave behind."""

from __future__ import annotations

from typing import Any

import pytest

from audit.models import AuditEntry
from campaigns.models import Campaign, Run
from contacts.models import Contact, Group
from tests.api.marketing.caller import Marketer, wrong_fields

pytestmark = pytest.mark.usefixtures("unlimited")
CONTACT = {"name": "Alice", "phone": "+24162000000"}
CAMPAIGN = {"name": "Sale", "message_content": "Hello {nom|you}"}
HOOK = {"name": "H", "url": "http://127.0.0.1:9/x", "events": ["message.sent"]}
DAILY = {"frequency": "daily", "time": "09:00", "start_date": "2098-01-01"}


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/contacts", {}, {"name", "phone"}),
        ("/contacts", {"name": None, "phone": None}, {"name", "phone"}),
        ("/contacts", CONTACT | {"email": "nobody"}, {"email"}),
        ("/contacts", CONTACT | {"status": "asleep"}, {"status"}),
        ("/contacts", CONTACT | {"custom_fields": ["x"]}, {"custom_fields"}),
        ("/contacts", CONTACT | {"custom_fields": {"Bad Key": "x"}}, {"custom_fields.Bad Key"}),
        ("/contacts", CONTACT | {"timezone": "Mars/Olympus"}, {"timezone"}),
        ("/contacts", CONTACT | {"tags": "vip"}, {"tags"}),
        ("/contact-groups", {}, {"name"}),
        ("/contact-groups", {"name": "x" * 81}, {"name"}),
        ("/campaigns", {}, {"name", "message_content"}),
        ("/campaigns", CAMPAIGN | {"scheduled_at": "tomorrow"}, {"scheduled_at"}),
        ("/campaigns", CAMPAIGN | {"scheduled_at": "2020-01-01T09:00:00Z"}, {"scheduled_at"}),
        ("/campaigns", CAMPAIGN | {"message_content": "Hi {pronom}"}, {"message_content"}),
        ("/campaigns", CAMPAIGN | {"group_ids": [987]}, {"group_ids"}),
        ("/campaigns", CAMPAIGN | {"timezone": "Mars/Olympus"}, {"timezone"}),
        ("/campaigns", CAMPAIGN | {"category": "spam"}, {"category"}),
        ("/templates", {"name": "", "content": ""}, {"name", "content"}),
        ("/templates", {"name": "T", "content": "{pronom}"}, {"content"}),
        ("/templates", {"name": "T", "content": "x", "category": "poems"}, {"category"}),
        ("/sub-accounts", {}, {"name", "email", "password", "role"}),
        ("/sub-accounts", {"name": "A", "email": "xxx", "password": "short", "role": "sender"}, {"email", "password"}),
        ("/sub-accounts", {"name": "A", "email": "a@b.test", "password": "secure123", "role": "king"}, {"role"}),
        (
            "/sub-accounts",
            {"name": "A", "email": "a@b.test", "password": "secure123", "role": "sender", "permissions": ["fly"]},
            {"permissions"},
        ),
        (
            "/sub-accounts",
            {"name": "A", "email": "a@b.test", "password": "secure123", "role": "sender", "sms_credit_limit": -1},
            {"sms_credit_limit"},
        ),
        ("/webhooks", {}, {"name", "url", "events"}),
        ("/webhooks", HOOK | {"url": "http://10.0.0.1/x"}, {"url"}),
        ("/webhooks", HOOK | {"url": "ftp://example.com"}, {"url"}),
        ("/webhooks", HOOK | {"events": ["moon.landed"]}, {"events"}),
        ("/webhooks", HOOK | {"retry_limit": 11}, {"retry_limit"}),
        ("/webhooks", HOOK | {"timeout": 31}, {"timeout"}),
        ("/blacklist", {}, {"phone_number"}),
        ("/blacklist", {"phone_number": "nonsense"}, {"phone_number"}),
        ("/blacklist/check", {"phone_number": "1"}, {"phone_number"}),
        ("/messages/analyze", {"phone_numbers": []}, {"phone_numbers"}),
    ],
)
def test_values_that_cannot_be_name_their_fields_and_leave_nothing(
    marketer: Marketer, channel: Any, path: str, body: Any, fields: set[str]
) -> None:
    before = AuditEntry.objects.count()
    assert wrong_fields(marketer.post(path, body)) == fields
    assert AuditEntry.objects.count() == before


def test_a_number_is_one_contacts_only(marketer: Marketer) -> None:
    assert marketer.post("/contacts", CONTACT).status_code == 201
    again = marketer.post("/contacts", CONTACT | {"name": "Bob", "phone": "00241 62 00 00 00"})
    assert again.json()["errors"] == {"phone": ["La valeur de phone est déjà utilisée."]}
    other = marketer.post("/contacts", CONTACT | {"phone": "+24162000009"}).json()["data"]["id"]
    assert wrong_fields(marketer.put(f"/contacts/{other}", {"phone": CONTACT["phone"]})) == {"phone"}
    assert Contact.objects.count() == 2


def test_null_says_nothing_and_an_empty_text_clears(marketer: Marketer) -> None:
    given = CONTACT | {"email": "a@b.test", "group": "Clients"}
    number = marketer.post("/contacts", given).json()["data"]["id"]
    kept = marketer.put(f"/contacts/{number}", {"name": None, "email": None, "group": None}).json()["data"]
    assert (kept["name"], kept["email"], kept["group"]) == ("Alice", "a@b.test", "Clients")
    cleared = marketer.put(f"/contacts/{number}", {"email": "", "group": ""}).json()["data"]
    assert (cleared["email"], cleared["group"]) == (None, None)


def test_contacts_are_found_and_paged(marketer: Marketer) -> None:
    for number in range(5):
        fields = {
            "name": f"Person {number}",
            "phone": f"+2416200000{number}",
            "group": "Even" if number % 2 == 0 else "Odd",
        }
        marketer.post("/contacts", fields)

    def names(**query: Any) -> list[str]:
        return [one["name"] for one in marketer.get("/contacts", **query).json()["data"]]

    assert names(group="even") == ["Person 4", "Person 2", "Person 0"]
    assert names(group="nobody") == []
    assert names(search="person 3") == ["Person 3"]
    assert names(page=2, per_page=2) == ["Person 2", "Person 1"]
    assert marketer.get("/contacts", page=3, per_page=2).json()["meta"] == {"page": 3, "per_page": 2, "has_more": False}
    assert wrong_fields(marketer.get("/contacts", status="asleep")) == {"status"}


def test_group_counts_stay_right_whatever_is_repeated(marketer: Marketer) -> None:
    number = marketer.post("/contacts", CONTACT).json()["data"]["id"]
    group = marketer.post("/contact-groups", {"name": "G"}).json()["data"]["id"]
    root = f"/contact-groups/{group}/contacts"
    changes = [marketer.post(f"{root}/add", {"contact_ids": [number, number, 99999]}).json()["data"] for _ in "ab"]
    assert [(one["changed"], one["contacts_count"]) for one in changes] == [(1, 1), (0, 1)]
    marketer.delete(f"/contacts/{number}")
    assert Group.objects.get().member_count == 0
    assert wrong_fields(marketer.post("/contact-groups", {"name": "g"})) == {"name"}
    assert wrong_fields(marketer.post(f"{root}/add", {"contact_ids": ["x"]})) == {"contact_ids.0"}


def test_a_campaign_does_not_go_to_everybody_by_mistake(marketer: Marketer, channel: Any) -> None:
    marketer.post("/contacts", CONTACT)
    number = marketer.post("/campaigns", CAMPAIGN).json()["data"]["id"]
    assert wrong_fields(marketer.post(f"/campaigns/{number}/send", {})) == {"recipients"}
    assert Run.objects.count() == 0
    assert marketer.post(f"/campaigns/{number}/send", {"all_contacts": True}).status_code == 200
    assert Run.objects.count() == 1


def test_a_campaign_that_cannot_be_sent_is_left_as_it_was(marketer: Marketer, channel: Any) -> None:
    number = marketer.post("/campaigns", CAMPAIGN).json()["data"]["id"]
    body = {"recipients": ["+24162000000"], "message": "Hi {pronom}"}
    assert wrong_fields(marketer.post(f"/campaigns/{number}/send", body)) == {"message"}
    campaign = Campaign.objects.get()
    assert (campaign.audience_kind, campaign.status, campaign.entries.count()) == ("all", "draft", 0)


def test_recipients_are_chosen_by_groups_contacts_and_lists(marketer: Marketer, channel: Any) -> None:
    contact = marketer.post("/contacts", CONTACT | {"group": "G"}).json()["data"]["id"]
    group = Group.objects.get().pk
    for chosen, kind in (
        ({"group_ids": [group]}, "groups"),
        ({"contact_ids": [contact]}, "contacts"),
        ({"recipients": ["+24162000000"]}, "list"),
        ({}, "all"),
    ):
        made = marketer.post("/campaigns", CAMPAIGN | chosen)
        assert (made.status_code, made.json()["data"]["recipients"]) == (201, kind), made.content
    number = made.json()["data"]["id"]
    changed = marketer.put(f"/campaigns/{number}", {"name": "New", "group_ids": [group]}).json()["data"]
    assert (changed["name"], changed["recipients"]) == ("New", "groups")


def test_a_campaigns_life(marketer: Marketer, channel: Any) -> None:
    number = marketer.post("/campaigns", CAMPAIGN | {"recipients": ["+24162000000"]}).json()["data"]["id"]
    root = f"/campaigns/{number}"
    assert marketer.post(f"{root}/pause").status_code == 400
    assert marketer.post(f"{root}/schedule", DAILY).json()["data"]["next_run_at"] == "2098-01-01T09:00:00Z"
    assert len(marketer.get(f"{root}/preview").json()["data"]) == 10
    assert marketer.post(f"{root}/pause").json()["data"]["status"] == "paused"
    assert marketer.post(f"{root}/resume").json()["data"]["status"] == "scheduled"
    assert marketer.get(f"{root}/results").status_code == 404
    copy = marketer.post(f"{root}/duplicate").json()["data"]
    assert (copy["name"], copy["status"], copy["recipients"]) == ("Copie de Sale", "draft", "list")
    assert marketer.post(f"{root}/send", {}).status_code == 200
    results = marketer.get(f"{root}/results").json()["data"]
    assert (results["campaign_id"], results["results"]["sent"]) == (number, 0)
    assert marketer.put(root, {"name": "Other"}).status_code == 400
    assert marketer.delete(root).status_code == 400
    assert marketer.post(f"{root}/cancel").json()["data"]["status"] == "cancelled"
    assert marketer.post(f"{root}/cancel").status_code == 400
    assert marketer.delete(f"/campaigns/{copy['id']}").status_code == 204
    assert [one["id"] for one in marketer.get("/campaigns", status="cancelled").json()["data"]] == [number]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"frequency": "hourly"}, {"frequency"}),
        ({"time": "25:00"}, {"time"}),
        ({"start_date": "soon"}, {"start_date"}),
        ({"end_date": "2097-01-01"}, {"end_date"}),
        ({"start_date": "2020-01-01", "end_date": "2020-02-01"}, {"start_date"}),
        ({"day_of_week": 7}, {"day_of_week"}),
        ({"timezone": "Mars/Olympus"}, {"timezone"}),
    ],
)
def test_a_schedule_that_cannot_be_names_its_field(
    marketer: Marketer, channel: Any, change: Any, fields: set[str]
) -> None:
    number = marketer.post("/campaigns", CAMPAIGN).json()["data"]["id"]
    assert wrong_fields(marketer.post(f"/campaigns/{number}/schedule", DAILY | change)) == fields
    assert marketer.get(f"/campaigns/{number}").json()["data"]["schedule"] is None


def test_a_schedule_has_a_zone_of_its_own(marketer: Marketer, channel: Any) -> None:
    number = marketer.post("/campaigns", CAMPAIGN).json()["data"]["id"]
    given = DAILY | {"timezone": "Africa/Libreville", "frequency": "weekly", "day_of_week": 1}
    data = marketer.post(f"/campaigns/{number}/schedule", given).json()["data"]
    # 6 January 2098 is a Monday; Libreville is one hour ahead of UTC.
    assert (data["timezone"], data["next_run_at"]) == ("Africa/Libreville", "2098-01-06T08:00:00Z")


def test_ids_beyond_the_databases_are_404(marketer: Marketer) -> None:
    for path in ("/contacts/{}", "/campaigns/{}", "/templates/{}", "/webhooks/{}", "/audit-logs/{}", "/messages/{}"):
        assert marketer.get(path.format(10**30)).status_code == 404, path
        assert marketer.get(path.format(0)).status_code == 404, path
    assert marketer.get("/contacts/abc").status_code == 404
    assert marketer.call("PATCH", "/contacts").status_code == 405


def test_uses_of_a_template_are_counted_exactly(marketer: Marketer) -> None:
    number = marketer.post("/templates", {"name": "T", "content": "Hi {prenom|you}"}).json()["data"]["id"]
    for _ in range(3):
        used = marketer.post(f"/templates/{number}/use").json()["data"]
    assert used["usage_count"] == 3
    preview = marketer.post(f"/templates/{number}/preview", {}).json()["data"]
    assert (preview["preview"], preview["variables"], preview["sms_count"]) == ("Hi you", ["prenom"], 1)
    injected = marketer.post(f"/templates/{number}/preview", {"sample_data": {"prenom": "{email}"}})
    assert injected.json()["data"]["preview"] == "Hi {email}"
