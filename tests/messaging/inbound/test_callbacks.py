"""Callbacks of SMS gateways: who gets in, what is stored, what becomes of messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_tenants.utils import schema_context

from messaging.inbound import callbacks, views

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    callbacks.cache_clear()
    yield
    callbacks.cache_clear()


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    ids: list[int] = []
    monkeypatch.setattr(views.process, "apply_async", lambda args, **_: ids.append(args[0]))
    return ids


@pytest.fixture
def sms(committed: Any, make_channel: Make, settings: Any) -> Any:
    """(organisation, its Kannel channel, the start of its callback's path)."""
    settings.EGRESS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    organization, _ = committed
    channel = make_channel(
        organization,
        kind="sms_http",
        account_id="",
        address="24106000000",
        secrets={"password": "secret"},
        is_sandbox=False,
        config={"preset": "kannel", "gateway_url": "http://127.0.0.1:9/cgi-bin/sendsms", "username": "griot"},
    )
    return organization, channel, f"/webhook/callback/{channel.external_id}/{channel.secrets['callback_token']}"


def process_all() -> list[Any]:
    from messaging.inbound.processing import event_process
    from tenants.models import InboundEvent

    events = list(InboundEvent.objects.order_by("id"))
    for event in events:
        event_process(event_id=event.pk)
        event.refresh_from_db()
    return events


def test_a_report_by_get_is_stored_raw_and_makes_the_message_delivered(
    sms: Any, client: Any, enqueued: list[int], make_message: Make, reread: Make, counters: Make
) -> None:
    organization, channel, path = sms
    message = make_message(organization, channel, status="sent")

    answer = client.get(f"{path}/report", {"id": str(message.uuid), "status": "1", "answer": "é"})

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"", "text/plain; charset=utf-8")
    (event,) = process_all()
    assert enqueued == [event.pk]
    stored = json.loads(bytes(event.body))
    assert stored["query"] == f"id={message.uuid}&status=1&answer=%C3%A9"
    assert (event.organization_id, event.status, event.problems) == (organization.pk, "done", [])
    assert channel.secrets["callback_token"] not in bytes(event.body).decode()
    reread(organization, message)
    assert (message.status, message.delivered_at is not None) == ("delivered", True)
    assert counters(organization)["delivered"] == 1


def test_reports_in_any_order_and_twice_have_the_same_end(
    sms: Any, client: Any, enqueued: list[int], make_message: Make, reread: Make, counters: Make
) -> None:
    organization, channel, path = sms
    message = make_message(organization, channel, status="in_doubt", attempts=1)

    for number in ("1", "8", "4", "1", "8", "2"):
        form = f"id={message.uuid}&status={number}"
        client.post(f"{path}/report", form, content_type="application/x-www-form-urlencoded")
    events = process_all()

    assert [(event.status, event.problems) for event in events] == [("done", [])] * 6
    reread(organization, message)
    assert (message.status, message.provider_id) == ("delivered", str(message.uuid))
    assert counters(organization) == {"sent": 1, "delivered": 1}


def test_a_failure_says_why(sms: Any, client: Any, enqueued: list[int], make_message: Make, reread: Make) -> None:
    organization, channel, path = sms
    message = make_message(organization, channel, status="sent")
    client.get(f"{path}/report", {"id": str(message.uuid), "status": "16", "answer": "NACK"})
    process_all()
    reread(organization, message)
    assert (message.status, message.error_code) == ("failed", "16")
    assert message.error_reason == "The operator refused the message."


def test_messages_of_customers_are_received_once_and_stop_words_stop(
    sms: Any, client: Any, enqueued: list[int]
) -> None:
    from contacts.models import Contact, Suppression
    from messaging.models import Message

    organization, _, path = sms
    for _ in range(2):
        client.get(f"{path}/message", {"id": "7", "from": "+24106123456", "text": "Bonjour"})
    client.get(f"{path}/message", {"id": "8", "from": "+24106123456", "text": "STOP"})
    process_all()

    with schema_context(organization.schema_name):
        received = Message.objects.filter(direction="in").order_by("id")
        assert [row.content["text"]["body"] for row in received] == ["Bonjour", "STOP"]
        assert Contact.objects.get().phone == "24106123456"
        assert Suppression.objects.get().address == "24106123456"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("about", ["report", "message"])
def test_without_the_token_nothing_gets_in(sms: Any, client: Any, enqueued: list[int], method: str, about: str) -> None:
    from tenants.models import InboundEvent

    _, channel, path = sms
    token = channel.secrets["callback_token"]
    wrong = [path[:-1], path + "x", path.replace(token, "x"), path.replace(channel.external_id, "999999")]
    answers = [getattr(client, method)(f"{address}/{about}", {"id": "1", "status": "1"}) for address in wrong]

    assert {(answer.status_code, answer.content) for answer in answers} == {(401, b'{"error": "wrong address"}')}
    assert not InboundEvent.objects.exists()
    assert enqueued == []


def test_the_token_of_one_channel_opens_no_other_and_a_report_reaches_no_other_organisations_message(
    sms: Any, committed: Any, client: Any, enqueued: list[int], make_channel: Make, make_message: Make, reread: Make
) -> None:
    _, channel, path = sms
    _, other = committed
    foreign = make_channel(other, kind="sms_http", account_id="", secrets={})
    theirs = make_message(other, foreign, status="sent")

    crossed = path.replace(channel.external_id, foreign.external_id)
    assert client.get(f"{crossed}/report", {"id": str(theirs.uuid), "status": "1"}).status_code == 401
    assert client.get(f"{path}/report", {"id": str(theirs.uuid), "status": "1"}).status_code == 200

    (event,) = process_all()
    assert event.problems[0]["code"] == "unknown_message"
    assert reread(other, theirs).status == "sent"


def test_too_large_a_body_and_an_unknown_word_are_refused(sms: Any, client: Any, enqueued: list[int]) -> None:
    _, _, path = sms
    big = client.post(f"{path}/report", data=b"x" * (1024 * 1024 + 1), content_type="application/json")
    assert big.status_code == 413
    assert client.get(f"{path}/status").status_code == 404
    assert client.put(f"{path}/report").status_code == 405
    assert enqueued == []


def test_what_cannot_be_read_is_kept_and_shown(sms: Any, client: Any, enqueued: list[int]) -> None:
    _, _, path = sms
    client.post(f"{path}/report", data=b"\xff\x00{", content_type="application/json")
    client.get(f"{path}/report", {"id": "1", "status": "99"})
    assert [(event.status, event.problems[0]["code"]) for event in process_all()] == [("partial", "unknown")] * 2
