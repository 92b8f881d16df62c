"""Every documented sample of Meta's, through the real endpoint or driver, against a table of what must come of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from messaging.inbound.signatures import signature_is_valid, signature_of
from tests.messaging.drivers import samples
from tests.messaging.samples.outcomes import outcome_of_answer, outcome_of_request, stored_outcome

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
    """The organisations whose channels the samples name; the second number is the other one's."""
    organization, other = committed
    number = {"external_id": "512094478812345", "address": "15550123400", "secrets": {"access_token": "sandbox-t"}}
    make_channel(organization, **number)
    make_channel(organization, kind="messenger", external_id="304455667788990", account_id="", address="")
    make_channel(organization, kind="instagram", external_id="17841455502233441", account_id="", address="")
    make_channel(other, external_id="512094478819999", account_id="980215774409999", address="15550123455")
    return {"first": organization, "second": other}


def sent_before(organization: Any, name: str) -> None:
    """Our messages that a sample reports on, sent a moment before."""
    from datetime import UTC, datetime

    from django_tenants.utils import schema_context

    from messaging.models import Channel, Message

    at = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)
    with schema_context(organization.schema_name):
        for channel, provider_id, person in ours(samples.load(*name.split("/"))):
            Message.objects.get_or_create(
                channel=Channel.objects.get(external_id=channel),
                provider_id=provider_id,
                defaults={
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
    from messaging.inbound import views
    from messaging.inbound.processing import event_process
    from tenants.models import InboundEvent

    settings.META_APP_SECRET = SECRET
    handed: list[int] = []
    monkeypatch.setattr(views.process, "apply_async", lambda args, **_: handed.append(args[0]))
    sent_before(connected["first"], name)
    raw = samples.raw(*name.split("/"))

    def post(signature: str) -> int:
        headers = {"X-Hub-Signature-256": signature}
        return int(client.post("/webhook/meta", raw, content_type="application/json", headers=headers).status_code)

    assert post(signature_of(raw, "not-the-secret")) == 401
    for _ in range(2):
        assert post(signature_of(raw, SECRET)) == 200
    assert len(handed) == 2
    for event_id in handed:
        event_process(event_id=event_id)
    event = InboundEvent.objects.order_by("id").first()
    assert stored_outcome(event, connected) == EXPECTED[name]


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
