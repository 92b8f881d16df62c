"""What becomes of messages is told by the statements that change them, once per milestone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from messaging.dispatch.sql import statements
from messaging.drivers.base import ReceivedMessage, StatusUpdate
from messaging.inbound.received import received_store
from messaging.inbound.statuses import statuses_apply
from messaging.models import Message
from messaging.services.channels import channel_pause, channel_resume
from messaging.services.messages import message_cancel
from webhooks_app.models import Delivery, Event

AT = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)


@pytest.fixture
def sent(channel: Any) -> Message:
    return Message.objects.create(
        channel=channel,
        direction="out",
        status="sent",
        address="22997000001",
        type="text",
        content={"type": "text", "text": {"body": "Hello"}},
        origin="api",
        provider_id="wamid.1",
        sent_at=AT,
        queued_at=AT,
    )


def reports(message: Message, *statuses: str) -> list[StatusUpdate]:
    return [StatusUpdate(uuid=str(message.uuid), provider_id="wamid.1", status=status, at=AT) for status in statuses]


def told() -> list[str]:
    return list(Event.objects.order_by("id").values_list("type", flat=True))


def test_each_milestone_is_told_once_and_in_order(in_schema, make_endpoint, channel, sent):
    make_endpoint(in_schema)
    statuses_apply(channel_id=channel.pk, updates=reports(sent, "read", "delivered"))
    statuses_apply(channel_id=channel.pk, updates=reports(sent, "delivered", "read", "sent"))
    assert told() == ["message.delivered", "message.read"]
    assert set(Event.objects.values_list("key", flat=True)) == {str(sent.uuid)}
    [first, second] = Event.objects.order_by("id")
    assert first.data["message"]["status"] == "delivered"
    assert first.data["message"]["content"] == {"type": "text", "text": {"body": "Hello"}}
    assert first.data["message"]["id"] == str(sent.uuid)
    assert datetime.fromisoformat(second.data["message"]["read_at"]) == AT
    assert first.data["channel"]["id"] == str(channel.uuid)
    assert first.is_test is True
    assert Delivery.objects.count() == 2


def test_nothing_is_told_when_nobody_asked(in_schema, make_endpoint, channel, sent):
    make_endpoint(in_schema, events=["contact.created"])
    statuses_apply(channel_id=channel.pk, updates=reports(sent, "delivered"))
    assert told() == []


def test_a_one_time_password_is_told_without_its_text(in_schema, make_endpoint, channel, sent):
    make_endpoint(in_schema)
    Message.objects.filter(pk=sent.pk).update(
        is_sensitive=True, content={"type": "text", "text": {"body": "Your code: 845193"}}
    )
    statuses_apply(channel_id=channel.pk, updates=reports(sent, "delivered"))
    [event] = Event.objects.all()
    assert event.data["message"]["content"] is None
    assert "845193" not in str(event.data)


def test_a_received_message_is_told_with_its_contact_once(in_schema, make_endpoint, channel):
    make_endpoint(in_schema, events=["message.received"])
    message = ReceivedMessage(
        provider_id="wamid.in",
        identities=(("phone", "22997000002"),),
        name="Ada",
        type="text",
        content={"type": "text", "text": {"body": "Hi"}},
        at=AT,
    )
    for _ in range(2):
        assert received_store(channel_id=channel.pk, messages=[message]) == []
    [event] = Event.objects.all()
    assert event.type == "message.received"
    assert (event.data["contact"]["name"], event.data["contact"]["phone"]) == ("Ada", "22997000002")
    assert event.data["message"]["direction"] == "in"


def test_a_cancelled_message_is_told(in_schema, make_endpoint, channel, sent):
    make_endpoint(in_schema)
    Message.objects.filter(pk=sent.pk).update(status="queued", sent_at=None, provider_id=None)
    message_cancel(message_uuid=sent.uuid)
    assert told() == ["message.cancelled"]


def test_very_large_content_gives_way_to_a_marker(in_schema, make_endpoint, channel, sent):
    make_endpoint(in_schema)
    Message.objects.filter(pk=sent.pk).update(content={"type": "text", "text": {"body": "x" * 300_000}})
    statuses_apply(channel_id=channel.pk, updates=reports(sent, "delivered"))
    assert Event.objects.get().data["message"]["content"] == {"truncated": True}


def test_pausing_and_resuming_a_channel_is_told_with_the_reason(in_schema, make_endpoint, channel):
    make_endpoint(in_schema, surface="gateway", events=["channel.status_changed"])
    channel_pause(channel_id=channel.pk, reason="New SIM card")
    channel_pause(channel_id=channel.pk, reason="again")
    channel_resume(channel_id=channel.pk)
    changes = [
        (event.data["channel"]["id"], *(event.data["channel"][name] for name in ("old_status", "new_status", "reason")))
        for event in Event.objects.order_by("id")
    ]
    assert changes == [
        (str(channel.uuid), "connected", "paused", "New SIM card"),
        (str(channel.uuid), "paused", "connected", ""),
    ]


def test_the_engines_own_pause_is_told_too(in_schema, make_endpoint, channel):
    make_endpoint(in_schema, events=["channel.status_changed"])
    statement = statements(in_schema.schema_name).pause.decode()
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(statement, {"channel": channel.pk, "reason": "The token has expired."})
    [event] = Event.objects.all()
    assert event.data["channel"]["new_status"] == "paused"
    assert event.data["channel"]["reason"] == "The token has expired."


def test_a_one_time_passwords_life_is_told_without_the_code(in_schema, make_endpoint, channel):
    from messaging.services.channels import channel_by_uuid
    from otp.services import otp_send, otp_verify
    from tests.otp.conftest import snapshot

    make_endpoint(in_schema, events=["otp.sent", "otp.failed", "otp.verified"])
    found = channel_by_uuid(schema=in_schema.schema_name, uuid=channel.uuid)
    sent = otp_send(organization=snapshot(in_schema), channel=found, phone="+22997000003")
    code = Message.objects.get(uuid=sent.message_uuid).content["text"]["body"].rsplit(" ", 1)[1]
    for _ in range(5):
        otp_verify(otp_uuid=sent.uuid, code="000000" if code != "000000" else "111111")
    assert told() == ["otp.sent", "otp.failed"]
    first, last = Event.objects.order_by("id")
    assert first.data["otp"]["message_id"] == str(sent.message_uuid)
    assert last.data["otp"]["reason"] == "too_many_attempts"
    assert code not in str([event.data for event in (first, last)])


def test_a_right_guess_is_told_once(in_schema, make_endpoint, channel):
    from messaging.services.channels import channel_by_uuid
    from otp.services import otp_send, otp_verify
    from tests.otp.conftest import snapshot

    make_endpoint(in_schema, events=["otp.verified"])
    found = channel_by_uuid(schema=in_schema.schema_name, uuid=channel.uuid)
    sent = otp_send(organization=snapshot(in_schema), channel=found, phone="+22997000004")
    code = Message.objects.get(uuid=sent.message_uuid).content["text"]["body"].rsplit(" ", 1)[1]
    assert [otp_verify(otp_uuid=sent.uuid, code=code).valid for _ in range(2)] == [True, False]
    [event] = Event.objects.all()
    assert (event.type, event.data["otp"]["phone"], event.key) == ("otp.verified", "22997000004", str(sent.uuid))
