"""The marketing API keeps what its document promises: every endpoint with the document's own examples."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from drf_spectacular.validation import validate_schema

from api.marketing.errors import PROBLEMS
from config.openapi import surface_schema
from tests.api.marketing.caller import Marketer, wrong_fields
from tests.api.marketing.conftest import *  # noqa: F403  the same people
from tests.contract.documents import CONTRACTS, check
from tests.webhooks_app.receiver import Receiver

pytestmark = pytest.mark.usefixtures("unlimited")
DOCUMENT = CONTRACTS / "sendwave-pro.md"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def promise() -> str:
    if not DOCUMENT.exists():
        pytest.skip("sendwave-pro.md is not next to this checkout (shared/contracts)")
    return Path(DOCUMENT).read_text()


def blocks(promise: str) -> dict[tuple[str, str], Any]:
    """(method, path) -> the example body of the request, None where there is none."""
    found = {}
    for block in re.findall(r"```http\n(.*?)```", promise, re.DOTALL):
        method, _, rest = block.partition(" ")
        path = rest.split()[0].partition("?")[0]
        body = re.search(r"\n\n(\{.*\})", block, re.DOTALL)
        found[method, path] = json.loads(body[1]) if body else None
    return found


@pytest.fixture
def examples(promise: str) -> dict[tuple[str, str], Any]:
    return blocks(promise)


def test_every_promised_operation_is_in_our_document(examples: Any) -> None:
    ours = surface_schema("marketing")
    validate_schema(ours)
    assert ours["servers"][0]["url"] == "/api"
    known = {(method.upper(), path) for path, methods in ours["paths"].items() for method in methods}
    assert len(examples) == 49
    assert set(examples) - known == set()


def test_our_documents_examples_fit_it_and_errors_have_their_status() -> None:
    ours = surface_schema("marketing")
    for path, methods in ours["paths"].items():
        for method, item in methods.items():
            assert item["summary"] and item["description"], (method, path)
            for body in [item.get("requestBody"), *item["responses"].values()]:
                for content in (body or {}).get("content", {}).values():
                    for example in content.get("examples", {}).values():
                        check(example["value"], content["schema"], ours)
            for status, answer in item["responses"].items():
                for content in answer.get("content", {}).values():
                    for example in content.get("examples", {}).values():
                        if status >= "400":
                            texts = {str(text) for code, text in PROBLEMS.values() if code == int(status)}
                            assert example["value"]["message"] in texts, (method, path)


def test_people_register_log_in_and_out(organization: Any, examples: Any) -> None:
    anybody = Marketer(None)
    given = examples["POST", "/auth/register"]
    made = anybody.post("/auth/register", given)
    assert made.status_code == 201, made.content
    document = made.json()
    assert document["message"] == "Inscription réussie"
    user = document["data"]["user"]
    assert (user["name"], user["email"]) == ("John Doe", "john@example.com")
    assert isinstance(user["id"], int)
    assert re.fullmatch(r"\d+\|\w+", document["data"]["token"])
    entered = anybody.post("/auth/login", examples["POST", "/auth/login"])
    assert entered.status_code == 200
    assert entered.json()["message"] == "Connexion réussie"
    assert entered.json()["data"]["user"] == user
    john = Marketer(entered.json()["data"]["token"])
    assert john.get("/auth/me").json()["data"]["email"] == "john@example.com"
    assert john.post("/auth/logout").status_code == 200
    gone = john.get("/auth/me")
    assert (gone.status_code, gone.json()) == (401, {"message": "Unauthenticated."})
    assert wrong_fields(anybody.post("/auth/register", given)) == {"email"}


def test_contacts(marketer: Marketer, examples: Any) -> None:
    given = examples["POST", "/contacts"]
    made = marketer.post("/contacts", given)
    assert made.status_code == 201, made.content
    contact = made.json()["data"]
    assert {name: contact[name] for name in given} == given
    assert isinstance(contact["id"], int) and TIME.fullmatch(contact["created_at"])
    assert marketer.get("/contacts").json()["data"] == [contact]
    changed = marketer.put(f"/contacts/{contact['id']}", examples["PUT", "/contacts/{id}"])
    assert changed.status_code == 200
    assert (changed.json()["data"]["name"], changed.json()["data"]["status"]) == ("Alice Johnson", "inactive")
    assert changed.json()["data"]["custom_fields"] == {"company": "ABC Corp"}
    assert marketer.delete(f"/contacts/{contact['id']}").status_code == 204
    assert marketer.get("/contacts").json()["data"] == []
    assert marketer.delete(f"/contacts/{contact['id']}").status_code == 404


def test_contacts_are_imported(marketer: Marketer, promise: str) -> None:
    text = re.search(r"\*\*CSV Format\*\*:\n```csv\n(.*?)```", promise, re.DOTALL)[1]
    file = SimpleUploadedFile("contacts.csv", text.encode(), content_type="text/csv")
    own = {"Authorization": f"Bearer {marketer.token}"}
    done = marketer.client.post("/api/contacts/import", {"file": file}, headers=own)
    assert done.status_code == 200, done.content
    assert done.json()["message"] == "Importation terminée"
    data = done.json()["data"]
    assert (data["total"], data["imported"], data["created"], data["failed"], data["errors"]) == (2, 2, 2, 0, [])
    found = {one["name"]: one for one in marketer.get("/contacts").json()["data"]}
    assert (found["John Doe"]["phone"], found["John Doe"]["group"]) == ("+24162000001", "Clients")
    assert (found["Jane Smith"]["email"], found["Jane Smith"]["group"]) == ("jane@example.com", "Partners")
    assert marketer.client.get(data["status_url"], headers=own).json()["data"]["status"] == "completed"
    nothing = marketer.client.post("/api/contacts/import", {}, headers=own)
    assert wrong_fields(nothing) == {"file"}
    assert marketer.post("/contacts/import", {}).status_code == 400


def test_contact_groups(marketer: Marketer, examples: Any) -> None:
    ids = [
        marketer.post("/contacts", {"name": f"P{n}", "phone": f"+2416200000{n}"}).json()["data"]["id"] for n in range(4)
    ]
    made = marketer.post("/contact-groups", examples["POST", "/contact-groups"])
    assert made.status_code == 201
    group = made.json()["data"]
    assert (group["name"], group["description"]) == ("VIP Clients", "High-value customers")
    added = marketer.post(f"/contact-groups/{group['id']}/contacts/add", {"contact_ids": ids})
    assert (added.status_code, added.json()["data"]["changed"]) == (200, 4)
    removed = marketer.post(f"/contact-groups/{group['id']}/contacts/remove", {"contact_ids": ids[1:3]})
    assert removed.json()["data"] == {"id": group["id"], "changed": 2, "contacts_count": 2}
    members = marketer.get(f"/contact-groups/{group['id']}/contacts").json()["data"]
    assert sorted(one["id"] for one in members) == [ids[0], ids[3]]
    assert marketer.get("/contact-groups").json()["data"][0]["contacts_count"] == 2


@pytest.fixture
def campaign(marketer: Marketer, channel: Any, examples: Any) -> Any:
    given = examples["POST", "/campaigns"] | {"scheduled_at": "2099-11-29T09:00:00Z"}
    made = marketer.post("/campaigns", given)
    assert made.status_code == 201, made.content
    return made.json()["data"]


def test_campaigns_are_made_and_scheduled(marketer: Marketer, campaign: Any, examples: Any) -> None:
    assert campaign["name"] == "Black Friday Sale"
    assert campaign["message_content"] == "🎉 50% OFF everything! Visit our store today."
    assert (campaign["scheduled_at"], campaign["status"]) == ("2099-11-29T09:00:00Z", "scheduled")
    given = examples["POST", "/campaigns/{id}/schedule"] | {"start_date": "2098-11-10", "end_date": "2098-12-31"}
    planned = marketer.post(f"/campaigns/{campaign['id']}/schedule", given)
    assert planned.status_code == 200, planned.content
    data = planned.json()["data"]
    assert {name: data[name] for name in given} == given
    assert data["next_runs"][:2] == ["2098-11-10T09:00:00Z", "2098-11-17T09:00:00Z"]
    variants = marketer.post(f"/campaigns/{campaign['id']}/variants", examples["POST", "/campaigns/{id}/variants"])
    assert variants.status_code == 201, variants.content
    found = [(one["variant_name"], one["message"], one["percentage"]) for one in variants.json()["data"]]
    assert found == [("Version A", "Get 20% OFF now!", 50), ("Version B", "Limited time: 20% discount!", 50)]
    uneven = examples["POST", "/campaigns/{id}/variants"]["variants"]
    uneven = [uneven[0], uneven[1] | {"percentage": 40}]
    refused = marketer.post(f"/campaigns/{campaign['id']}/variants", {"variants": uneven})
    assert wrong_fields(refused) == {"variants"}


def test_campaigns_are_sent(marketer: Marketer, campaign: Any, examples: Any) -> None:
    given = examples["POST", "/campaigns/{id}/send"]
    sent = marketer.post(f"/campaigns/{campaign['id']}/send", given)
    assert sent.status_code == 200, sent.content
    assert sent.json()["data"]["total"] == 2
    shown = marketer.get(f"/campaigns/{campaign['id']}").json()["data"]
    assert (shown["status"], shown["message_content"]) == ("running", given["message"])
    again = marketer.post(f"/campaigns/{campaign['id']}/send", given)
    assert again.status_code == 400


def test_messages(marketer: Marketer, channel: Any, examples: Any) -> None:
    sent = marketer.post("/messages/send", examples["POST", "/messages/send"])
    assert sent.status_code == 200, sent.content
    assert sent.json()["message"] == "Envoi terminé"
    data = sent.json()["data"]
    assert (data["total"], data["sent"], data["failed"], data["sms_count"]) == (2, 2, 0, 1)
    assert data["by_operator"] == {"airtel": 1, "moov": 1, "unknown": 0}
    assert isinstance(data["total_cost"], int)
    assert [type(one) for one in data["message_ids"]] == [int, int]
    history = marketer.get("/messages/history", start_date="2025-11-01", end_date="2099-11-07").json()["data"]
    assert [one["id"] for one in history] == data["message_ids"][::-1]
    assert {one["status"] for one in history} == {"pending"}
    assert marketer.get("/messages/history", status="sent").json()["data"] == []
    exported = marketer.get("/messages/export", format="csv", start_date="2025-11-01")
    assert exported["Content-Type"].startswith("text/csv")
    lines = b"".join(exported.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0].startswith("id,recipient,") and len(lines) == 3


def test_numbers_are_analysed_as_the_document_shows(in_schema: Any, make_marketer: Any, examples: Any) -> None:
    in_schema.default_country = "GA"
    in_schema.save()
    found = make_marketer(in_schema).post("/messages/analyze", examples["POST", "/messages/analyze"])
    assert found.status_code == 200
    assert found.json()["message"] == "Analyse effectuée"
    data = found.json()["data"]
    counts = {name: data[name] for name in ("total", "airtel_count", "moov_count", "unknown_count")}
    assert counts == {"total": 3, "airtel_count": 1, "moov_count": 2, "unknown_count": 0}
    assert data["details"][0] == {"phone": "+24162000001", "operator": "airtel", "is_valid": True}


def test_templates(marketer: Marketer, examples: Any) -> None:
    given = examples["POST", "/templates"]
    made = marketer.post("/templates", given)
    assert made.status_code == 201
    template = made.json()["data"]
    assert {name: template[name] for name in given} == given
    assert marketer.get("/templates", category="notifications", is_public="false").json()["data"] == [template]
    assert marketer.get("/templates", category="marketing", is_public="true").json()["data"] == []
    categories = marketer.get("/templates/categories").json()["data"]
    assert list(categories) == [
        *("marketing", "notifications", "alerts", "reminders"),
        *("confirmations", "promotions", "other"),
    ]
    for names in (
        {"{nom}": "Jean Dupont", "{email}": "jean@example.com"},
        {"nom": "Jean Dupont", "email": "jean@example.com"},
    ):
        preview = marketer.post(f"/templates/{template['id']}/preview", {"sample_data": names})
        text = "Bonjour Jean Dupont, bienvenue chez nous! Votre email: jean@example.com"
        assert (preview.status_code, preview.json()["data"]["preview"]) == (200, text)
    used = marketer.post(f"/templates/{template['id']}/use")
    assert (used.status_code, used.json()["data"]["usage_count"]) == (200, 1)


def test_sub_accounts(marketer: Marketer, examples: Any) -> None:
    given = examples["POST", "/sub-accounts"]
    made = marketer.post("/sub-accounts", given)
    assert made.status_code == 201, made.content
    account = made.json()["data"]
    assert {name: account[name] for name in given if name != "password"} == {
        name: given[name] for name in given if name != "password"
    }
    assert account["status"] == "active"
    assert isinstance(account["sms_credit_limit"], int)
    assert [one["id"] for one in marketer.get("/sub-accounts").json()["data"]] == [account["id"]]
    root = f"/sub-accounts/{account['id']}"
    changed = marketer.post(f"{root}/permissions", examples["POST", "/sub-accounts/{id}/permissions"])
    assert (changed.status_code, changed.json()["data"]["permissions"]) == (
        200,
        ["send_sms", "view_history", "manage_contacts"],
    )
    assert marketer.post(f"{root}/suspend").json()["data"]["status"] == "suspended"
    assert marketer.post(f"{root}/activate").json()["data"]["status"] == "active"
    credited = marketer.post(f"{root}/credits", examples["POST", "/sub-accounts/{id}/credits"])
    assert credited.status_code == 200, credited.content
    assert credited.json()["data"] == {"id": account["id"], "added": 500, "credits": 1500}
    assert marketer.get(root).json()["data"]["sms_credit_limit"] == 1500


def test_webhooks(marketer: Marketer, examples: Any, promise: str) -> None:
    labels = marketer.get("/webhooks/events").json()
    assert labels == json.loads(re.search(r"### Get Available Events.*?```json\n(.*?)```", promise, re.DOTALL)[1])
    receiver = Receiver()
    given = examples["POST", "/webhooks"] | {"url": receiver.url("/webhooks/sendwave")}
    made = marketer.post("/webhooks", given)
    assert made.status_code == 201, made.content
    webhook = made.json()["data"]
    assert {name: webhook[name] for name in given} == given
    root = f"/webhooks/{webhook['id']}"
    assert marketer.get("/webhooks").json()["data"][0]["id"] == webhook["id"]
    assert "secret" not in marketer.get("/webhooks").json()["data"][0]
    tested = marketer.post(f"{root}/test")
    assert (tested.status_code, tested.json()["data"]["success"]) == (200, True)
    (request,) = receiver.requests
    assert request.json["event"] == "webhook.test"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", request.json["timestamp"])
    data = {"message": "This is a test webhook delivery", "webhook_id": webhook["id"], "webhook_name": "My Integration"}
    assert request.json["data"] == data
    signature = hmac.new(b"optional_custom_secret", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-webhook-signature"] == signature
    assert request.headers["x-webhook-event"] == "webhook.test"
    shown = marketer.get(root).json()["data"]
    assert [(log["event"], log["success"]) for log in shown["logs"]] == [("webhook.test", True)]
    changed = marketer.put(root, examples["PUT", "/webhooks/{id}"])
    assert (changed.json()["data"]["events"], changed.json()["data"]["is_active"]) == (
        ["message.sent", "message.failed", "contact.created"],
        False,
    )
    assert marketer.post(f"{root}/toggle").json()["data"]["is_active"] is True
    assert marketer.get(f"{root}/logs", event="message.sent", success="true").json()["data"] == []
    stats = marketer.get(f"{root}/stats").json()["data"]
    names = {"total_triggers", "successful", "failed", "success_rate", "last_triggered_at", "events_by_type"}
    assert names <= set(stats)
    without = marketer.post("/webhooks", {"name": "N", "url": receiver.url(), "events": ["message.sent"]})
    assert len(without.json()["data"]["secret"]) == 32
    receiver.close()


def test_blacklist(marketer: Marketer, examples: Any) -> None:
    made = marketer.post("/blacklist", examples["POST", "/blacklist"])
    assert made.status_code == 201
    entry = made.json()["data"]
    assert (entry["phone_number"], entry["reason"]) == ("+24162000000", "Requested opt-out")
    assert marketer.get("/blacklist").json()["data"] == [entry]
    checked = marketer.post("/blacklist/check", examples["POST", "/blacklist/check"])
    assert (checked.status_code, checked.json()) == (200, {"phone_number": "+24162000000", "is_blacklisted": True})
    assert marketer.delete(f"/blacklist/{entry['id']}").status_code == 204
    checked = marketer.post("/blacklist/check", examples["POST", "/blacklist/check"])
    assert checked.json()["is_blacklisted"] is False


def test_audit_logs(marketer: Marketer, promise: str) -> None:
    contact = marketer.post("/contacts", {"name": "John Doe", "phone": "+24162000001", "email": "john@example.com"})
    number = contact.json()["data"]["id"]
    filters = {"action": "contact.created", "start_date": "2025-11-01", "model_type": "App\\Models\\Contact"}
    (entry,) = marketer.get("/audit-logs", **filters, model_id=number).json()["data"]
    shown = marketer.get(f"/audit-logs/{entry['id']}").json()["data"]
    assert shown == entry
    documented = json.loads(re.search(r"### Get Audit Log Details.*?```json\n(.*?)```", promise, re.DOTALL)[1])["data"]
    assert set(documented) <= set(entry)
    assert entry["model_type"] == documented["model_type"]
    assert (entry["model_id"], entry["sub_account_id"], entry["old_values"]) == (number, None, None)
    assert (entry["user_id"], entry["ip_address"]) == (marketer.member.user_id, "127.0.0.1")  # type: ignore[attr-defined]
    assert entry["new_values"]["name"] == "John Doe"
    assert TIME.fullmatch(entry["created_at"])
    assert "contact.created" in marketer.get("/audit-logs/actions").json()["data"]
    assert marketer.get("/audit-logs", end_date="2025-11-01").json()["data"] == []
    assert marketer.get("/audit-logs", model_type="App\\Models\\Webhook").json()["data"] == []


def test_errors_have_the_documented_form(marketer: Marketer, make_marketer: Any, in_schema: Any) -> None:
    anonymous = Marketer(None).get("/contacts")
    assert (anonymous.status_code, anonymous.json()) == (401, {"message": "Unauthenticated."})
    viewer = make_marketer(in_schema, "viewer").post("/contacts", {"name": "A", "phone": "+24162000001"})
    assert (viewer.status_code, viewer.json()) == (403, {"message": "Cette action n'est pas autorisée."})
    wrong = marketer.post("/contacts", {"name": "A", "phone": "not a phone"})
    assert wrong.status_code == 422
    assert wrong.json() == {
        "message": "The given data was invalid.",
        "errors": {"phone": ["The phone format is invalid."]},
    }
    missing = Marketer(None).post("/auth/login", {"password": "x"})
    assert missing.json()["errors"] == {"email": ["The email field is required."]}
    assert marketer.get("/contacts/999999").status_code == 404
    assert marketer.post("/contacts", b"{").status_code == 400
    assert marketer.get("/nothing").status_code == 404
    assert connection.in_atomic_block
