"""Every documented sample of Meta's, through the real endpoint or driver, against a table of what must come of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from django_tenants.utils import schema_context

from messaging.inbound import views
from messaging.inbound.processing import event_process
from messaging.inbound.signatures import signature_is_valid, signature_of
from messaging.models import Channel, Customer, Message, MessageTemplate
from tenants.models import InboundEvent
from tests.contract.documents import check, document
from tests.messaging.drivers import samples
from tests.messaging.samples.outcomes import outcome_of_answer, outcome_of_request, stored_outcome
from webhooks_app.services.endpoints import endpoint_create

Make = Callable[..., Any]
EXPECTED: dict[str, Any] = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))
SECRET = "the-platforms-app-secret"
# Which apps are subscribed is never asked: subscribing again changes nothing.
UNREAD = {"wa_response/subscribed_apps_list"}
pytestmark = samples.needed


def all_names() -> list[str]:
    return sorted(f"{path.parent.name}/{path.stem}" for path in samples.FOLDER.glob("*/*.json"))


def group(*, webhook: bool) -> list[str]:
    return [name for name in all_names() if ("webhook" in name) == webhook and not name.startswith("security/")]


def outcome(name: str) -> Any:
    folder, stem = name.split("/")
    sample = samples.load(folder, stem)
    is_request = folder == "wa_request" or stem.startswith("request_")
    return (outcome_of_request if is_request else outcome_of_answer)(folder, stem, sample)


def test_the_table_names_every_sample() -> None:
    assert len(all_names()) == 179
    assert set(EXPECTED) == set(group(webhook=True)) | set(group(webhook=False)) - UNREAD


@pytest.mark.parametrize("name", [name for name in group(webhook=False) if name not in UNREAD])
def test_requests_and_answers(name: str) -> None:
    assert outcome(name) == EXPECTED[name]


def test_requests_are_what_is_documented() -> None:
    for name in group(webhook=False):
        folder, stem = name.split("/")
        if (folder == "wa_request" and stem != "subscribed_apps_override") or stem.startswith("request_"):
            assert EXPECTED[name]["body"] == samples.load(folder, stem), name


@pytest.fixture
def connected(committed: Any, make_channel: Make) -> dict[str, Any]:
    """The organisations whose channels the samples name; the second number is the other one's.

    Each has a vendor's webhook for everything, and a customer whom the channels belong to.
    """
    organization, other = committed
    number = {"external_id": "512094478812345", "address": "15550123400", "secrets": {"access_token": "sandbox-t"}}
    make_channel(organization, **number)
    make_channel(organization, kind="messenger", external_id="304455667788990", account_id="", address="")
    make_channel(organization, kind="instagram", external_id="17841455502233441", account_id="", address="")
    make_channel(other, external_id="512094478819999", account_id="980215774409999", address="15550123455")
    for one, name in ((organization, "first"), (other, "second")):
        with schema_context(one.schema_name):
            customer = Customer.objects.create(name=name, uuid=uuid5(NAMESPACE_URL, name))
            for channel in Channel.objects.all():
                Channel.objects.filter(pk=channel.pk).update(reference=f"{name}_{channel.kind}", customer=customer)
            endpoint_create(surface="gateway", url="http://127.0.0.1:9/events", events=["*"])
    return {"first": organization, "second": other}


# What a template was before Meta's news of it; everything else was approved.
STATUS_BEFORE = {"approved": "PENDING", "rejected": "PENDING", "unpaused": "PAUSED"}
# Samples about somebody who has written before.
OF_A_KNOWN_PERSON = ("user_id_update", "system_user_changed_number", "system_user_changed_user_id")


def known_before(organization: Any, name: str, post: Callable[[bytes], None]) -> None:
    """The template or the person that a sample is about."""
    stem = name.partition("/")[2]
    if stem.startswith("template_"):
        with schema_context(organization.schema_name):
            MessageTemplate.objects.create(
                kind="whatsapp_cloud", account_id="980215774401238", provider_id="1422038811905577",
                name="order_ready_2", language="en_US", category="UTILITY", quality="GREEN",
                status=STATUS_BEFORE.get(stem.removeprefix("template_status_"), "APPROVED"),
            )  # fmt: skip
    if stem in OF_A_KNOWN_PERSON:
        post(samples.raw("wa_webhook_in", "text"))


def sent_before(organization: Any, name: str) -> None:
    """Our messages that a sample reports on, sent a moment before."""
    at = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)
    with schema_context(organization.schema_name):
        for channel, provider_id, person in ours(samples.load(*name.split("/"))):
            Message.objects.get_or_create(
                channel=Channel.objects.get(external_id=channel),
                provider_id=provider_id,
                defaults={
                    "uuid": uuid5(NAMESPACE_URL, provider_id),
                    "direction": "out", "status": "sent", "address": person, "type": "text", "origin": "api",
                    "content": {"type": "text", "text": {"body": "Hello"}}, "queued_at": at, "sent_at": at,
                },
            )  # fmt: skip


def ours(sample: Any) -> list[tuple[str, str, str]]:
    """(provider's id of the channel, of the message, the person) of everything that a webhook reports on."""
    found = []
    for entry in sample["entry"]:
        for change in entry.get("changes", []):
            value = change["value"]
            for status in value.get("statuses", []):
                person = status.get("recipient_id") or status.get("recipient_user_id") or "unknown"
                found.append((value["metadata"]["phone_number_id"], status["id"], person))
        for event in entry.get("messaging", []):
            person = event["sender"]["id"]
            mids = [event.get("read", {}).get("mid"), *event.get("delivery", {}).get("mids", [])]
            if "read" in event and mids == [None]:
                mids = ["m_before_the_watermark"]
            found += [(entry["id"], mid, person) for mid in mids if mid]
    return [item for item in found if item[0] != "512094478819999"]


@pytest.mark.parametrize("name", group(webhook=True))
def test_webhooks_signed_posted_and_processed(
    connected: dict[str, Any], client: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings.META_APP_SECRET = SECRET
    handed: list[int] = []
    monkeypatch.setattr(views.process, "apply_async", lambda args, **_: handed.append(args[0]))

    def post(raw: bytes, secret: str = SECRET) -> int:
        headers = {"X-Hub-Signature-256": signature_of(raw, secret)}
        return int(client.post("/webhook/meta", raw, content_type="application/json", headers=headers).status_code)

    def arrive(raw: bytes) -> None:
        assert post(raw) == 200
        event_process(event_id=handed[-1])

    sent_before(connected["first"], name)
    known_before(connected["first"], name, arrive)
    before = len(handed)
    raw = samples.raw(*name.split("/"))
    assert post(raw, "not-the-secret") == 401
    for _ in range(2):
        assert post(raw) == 200
    assert len(handed) == before + 2
    for event_id in handed[before:]:
        event_process(event_id=event_id)
    event = InboundEvent.objects.get(pk=handed[before])
    found = stored_outcome(event, connected)
    assert found == EXPECTED[name]
    for payload in [*found.get("first", {}).get("told", []), *found.get("second", {}).get("told", [])]:
        documented(payload)


def documented(payload: dict[str, Any]) -> None:
    """What a vendor is told has every member that the gateway's document names, of the documented type."""
    whole = document("iaqui-gateway.openapi.json")
    hook = whole["paths"]["/webhooks"]["post"]["callbacks"]["webhookCallback"]["{$request.body#/url}"]["post"]
    for shape in hook["requestBody"]["content"]["application/json"]["schema"]["oneOf"]:
        if shape["properties"]["event"]["example"] == payload["event"]:
            check(payload, _all_required(shape), whole)
            return
    assert payload["event"] == "channel.status_changed"


def _all_required(schema: dict[str, Any]) -> dict[str, Any]:
    inner = {name: _all_required(part) for name, part in schema.get("properties", {}).items()}
    return schema | ({"properties": inner, "required": list(inner)} if inner else {})


def test_the_signature_is_over_the_raw_bytes() -> None:
    vector = samples.load("security", "signature_vector")
    raw = vector["raw_body_utf8"].encode()
    assert signature_of(raw, vector["app_secret"]) == vector["value"]
    assert not signature_is_valid(raw, vector["wrong_value_if_reserialised"], [vector["app_secret"]])


def test_the_verification_of_the_address(committed: Any, client: Any, settings: Any) -> None:
    sample = samples.load("security", "verify_get")
    settings.META_VERIFY_TOKEN = "vt-42"
    query = sample["request"].partition("?")[2]
    answer = client.get(f"/webhook/meta?{query}")
    assert (answer.status_code, answer.content.decode()) == (sample["ok"]["status"], sample["ok"]["body"])
    assert client.get(f"/webhook/meta?{query}x").status_code == sample["bad_token"]["status"]
