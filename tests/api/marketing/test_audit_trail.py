"""Every operation that changes something leaves exactly its entry: who, from where, old and new values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit.models import AuditEntry
from campaigns.services.runs import run_work
from contacts.models import ContactImport
from messaging.models import Message
from tenants.connection import connection
from tenants.models import AccessToken
from tests.api.marketing.caller import Marketer
from tests.api.marketing.test_permissions import NEEDS

pytestmark = pytest.mark.usefixtures("unlimited")
AGENT, ADDRESS = "audited/1.0", "127.0.0.1"
# Read only, or about single messages, whose accounting is the message itself.
SILENT = {
    ("POST", "messages/send"),
    ("POST", "messages/analyze"),
    ("POST", "templates/<number:id>/preview"),
    ("POST", "blacklist/check"),
}
PHONE = "+24162000007"
SEND = {"recipients": [PHONE], "message": "Hi"}
VARIANTS = [
    {"variant_name": "A", "message": "a", "percentage": 50},
    {"variant_name": "B", "message": "b", "percentage": 50},
]
DAILY = {"frequency": "daily", "time": "09:00", "start_date": "2098-01-01"}
HOOK = {"name": "H", "url": "http://127.0.0.1:9/x", "events": ["message.sent"], "secret": "never-in-the-log"}
PERSON = {"name": "Sub", "email": "sub@people.test", "password": "secure123", "role": "sender"}
Entry = tuple[str, Any, Any]


class Trail:
    """Calls operations and remembers the ids of what they made; `entries` are those since the last look."""

    def __init__(self, marketer: Marketer) -> None:
        self.marketer, self.ids, self.done = marketer, {}, set()
        self.seen = AuditEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0

    def __call__(self, method: str, route: str, body: Any = None, **ids: int) -> Any:
        kind = route.partition("/<number:id>")[0]
        path = "/" + route.replace("<number:id>", str(ids.get("id", self.ids.get(kind, 0))))
        answer = self.marketer.call(method, path, body, {"User-Agent": AGENT})
        assert answer.status_code in (200, 201, 202, 204), (method, path, answer.content)
        self.done.add((method, route))
        if method == "POST" and answer.status_code == 201 and route == kind:
            self.ids[kind] = answer.json()["data"]["id"]
        return answer

    def entries(self) -> list[Entry]:
        found = list(AuditEntry.objects.filter(id__gt=self.seen).order_by("id"))
        self.seen = found[-1].pk if found else self.seen
        member = self.marketer.member  # type: ignore[attr-defined]
        for entry in found:
            assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("user", member.user_id, member.user.email)
            assert (entry.membership_id, entry.address, entry.agent) == (member.pk, ADDRESS, AGENT), entry.action
            assert len(entry.request_id) == 32
        return [(entry.action, entry.old_values, entry.new_values) for entry in found]

    def upload(self, text: str) -> Any:
        self.done.add(("POST", "contacts/import"))
        headers = {"Authorization": f"Bearer {self.marketer.token}", "User-Agent": AGENT}
        file = SimpleUploadedFile("c.csv", text.encode())
        return Client().post("/api/contacts/import", {"file": file}, headers=headers)


@pytest.fixture
def trail(in_schema: Any, make_marketer: Any, channel: Any) -> Trail:
    return Trail(make_marketer(in_schema, "admin"))


def expect(trail: Trail, *expected: Entry) -> None:
    """The newest entries are exactly these; of old and new values the named ones are compared."""
    found = trail.entries()
    assert [entry[0] for entry in found] == [entry[0] for entry in expected]
    for (action, old, new), (_action, had, has) in zip(found, expected, strict=True):
        for values, wanted in ((old, had), (new, has)):
            shown = values if wanted is None else {name: (values or {}).get(name) for name in wanted}
            assert shown == wanted, (action, values)


def test_no_operation_that_changes_something_is_left_out() -> None:
    tried = set(re.findall(r'trail\(\s*"(\w+)",\s*"([^"]+)"', Path(__file__).read_text()))
    changing = {operation for operation in NEEDS if operation[0] != "GET"}
    assert tried | {("POST", "contacts/import")} == changing - SILENT


def test_every_change_over_the_api_leaves_its_entry(trail: Trail) -> None:
    trail("POST", "contacts", {"name": "Ada", "phone": "+24162000001"})
    expect(trail, ("contact.created", None, {"name": "Ada", "phone": "24162000001"}))
    trail("PUT", "contacts/<number:id>", {"name": "Ada Two"})
    expect(trail, ("contact.updated", {"name": "Ada"}, {"name": "Ada Two"}))
    trail("POST", "contact-groups", {"name": "G"})
    expect(trail, ("group.created", None, {"name": "G"}))
    trail("PUT", "contact-groups/<number:id>", {"name": "H"})
    expect(trail, ("group.updated", {"name": "G"}, {"name": "H"}))
    members = {"contact_ids": [trail.ids["contacts"]]}
    trail("POST", "contact-groups/<number:id>/contacts/add", members)
    expect(trail, ("group.contacts_added", None, {"contacts": 1, "ids": members["contact_ids"]}))
    trail("POST", "contact-groups/<number:id>/contacts/add", members)
    expect(trail)
    trail("POST", "contact-groups/<number:id>/contacts/remove", members)
    expect(trail, ("group.contacts_removed", None, {"contacts": 1, "ids": members["contact_ids"]}))
    trail("DELETE", "contact-groups/<number:id>")
    expect(trail, ("group.deleted", {"name": "H"}, None))
    trail("DELETE", "contacts/<number:id>")
    expect(trail, ("contact.deleted", {"name": "Ada Two", "phone": "24162000001"}, None))
    trail("POST", "blacklist", {"phone_number": "+24162000002", "reason": "asked"})
    expect(trail, ("blacklist.added", None, {"address": "24162000002", "note": "asked"}))
    trail("DELETE", "blacklist/<number:id>")
    expect(trail, ("blacklist.removed", {"address": "24162000002", "note": "asked"}, None))


def test_every_change_of_templates_members_and_webhooks_leaves_its_entry(trail: Trail) -> None:
    trail("POST", "templates", {"name": "T", "content": "x"})
    expect(trail, ("template.created", None, {"name": "T", "content": "x"}))
    trail("PUT", "templates/<number:id>", {"content": "y"})
    expect(trail, ("template.updated", {"content": "x"}, {"content": "y"}))
    trail("POST", "templates/<number:id>/use")
    expect(trail)
    trail("DELETE", "templates/<number:id>")
    expect(trail, ("template.deleted", {"name": "T", "content": "y"}, None))
    trail("POST", "sub-accounts", PERSON)
    expect(trail, ("sub_account.created", None, {"email": PERSON["email"], "role": "sender"}))
    trail("POST", "sub-accounts/<number:id>/permissions", {"permissions": ["send_sms"]})
    expect(trail, ("sub_account.permissions_changed", {"permissions": None}, {"permissions": ["send_sms"]}))
    trail("POST", "sub-accounts/<number:id>/credits", {"amount": 5})
    moved = {"balance": "5", "amount": "5"}
    expect(trail, ("credits.switched_on", None, None), ("credits.topped_up", {"balance": "0"}, moved))
    trail("POST", "sub-accounts/<number:id>/suspend")
    expect(trail, ("sub_account.suspended", {}, {}))
    trail("POST", "sub-accounts/<number:id>/suspend")
    expect(trail)
    trail("POST", "sub-accounts/<number:id>/activate")
    expect(trail, ("sub_account.activated", {}, {}))
    trail("POST", "webhooks", HOOK)
    expect(trail, ("webhook.created", None, {"name": "H", "url": HOOK["url"]}))
    trail("PUT", "webhooks/<number:id>", {"name": "I"})
    expect(trail, ("webhook.updated", {"name": "H"}, {"name": "I"}))
    trail("POST", "webhooks/<number:id>/toggle")
    expect(trail, ("webhook.updated", {"is_active": True}, {"is_active": False}))
    trail("POST", "webhooks/<number:id>/test")
    expect(trail)
    trail("DELETE", "webhooks/<number:id>")
    expect(trail, ("webhook.deleted", {"name": "I"}, None))
    assert "never-in-the-log" not in str(list(AuditEntry.objects.values_list("old_values", "new_values")))
    assert "secure123" not in str(list(AuditEntry.objects.values_list("old_values", "new_values")))


def test_every_step_of_a_campaign_leaves_its_entry(trail: Trail) -> None:
    trail("POST", "campaigns", {"name": "C", "message_content": "x", "recipients": [PHONE]})
    expect(trail, ("campaign.created", None, {"name": "C"}), ("campaign.audience_set", {}, {}))
    trail("PUT", "campaigns/<number:id>", {"name": "D"})
    expect(trail, ("campaign.updated", {"name": "C"}, {"name": "D"}))
    trail("POST", "campaigns/<number:id>/variants", {"variants": VARIANTS})
    expect(trail, ("campaign.variants_set", {}, {}))
    trail("POST", "campaigns/<number:id>/schedule", DAILY)
    expect(trail, ("campaign.scheduled", {}, {"frequency": "daily"}))
    trail("POST", "campaigns/<number:id>/pause")
    expect(trail, ("campaign.paused", {}, {}))
    trail("POST", "campaigns/<number:id>/resume")
    expect(trail, ("campaign.resumed", {}, {}))
    copy = trail("POST", "campaigns/<number:id>/duplicate").json()["data"]["id"]
    expect(trail, ("campaign.created", None, {"name": "Copie de D"}))
    trail("DELETE", "campaigns/<number:id>", id=copy)
    expect(trail, ("campaign.deleted", {"name": "Copie de D"}, None))
    run = trail("POST", "campaigns/<number:id>/send", {}).json()["data"]["run_id"]
    expect(trail, ("campaign.launched", {}, {}))
    while run_work(connection.schema_name, str(run)) is not None and not Message.objects.exists():
        continue
    started = AuditEntry.objects.latest("id")
    assert (started.action, started.actor_kind, started.address) == ("campaign.started", "system", "")
    assert started.new_values == {"run_id": run, "status": "running"}
    trail.seen = started.pk
    Message.objects.update(status="failed")
    trail("POST", "campaigns/<number:id>/retry")
    expect(trail, ("campaign.failed_retried", None, {"run": run}))
    trail("POST", "campaigns/<number:id>/cancel")
    expect(trail, ("campaign.cancelled", {}, {}))


def test_imports_and_logins_leave_their_entries(trail: Trail) -> None:
    assert trail.upload("name,phone\nA,+24162000003\nB,12\n").status_code == 200
    expect(trail, ("contacts.imported", None, {"created": 1, "failed": 1, "status": "completed"}))
    waiting = ContactImport.objects.get()
    ContactImport.objects.filter(pk=waiting.pk).update(status="running", finished_at=None)
    trail("DELETE", "contacts/import/<number:id>", id=waiting.pk)
    expect(trail, ("contacts.imported", None, {"status": "cancelled"}))
    trail("POST", "auth/logout")
    expect(trail, ("auth.logout", None, None))
    assert AccessToken.objects.count() == 0


def test_the_operations_that_leave_no_entry_are_known(trail: Trail) -> None:
    for method, route in SILENT:
        body = {"messages/send": SEND, "messages/analyze": {"phone_numbers": [PHONE]}}.get(route)
        if route == "blacklist/check":
            body = {"phone_number": PHONE}
        if "templates" in route:
            trail("POST", "templates", {"name": "T", "content": "x"})
            trail.entries()
        trail(method, route, body if body is not None else {})
        expect(trail)
