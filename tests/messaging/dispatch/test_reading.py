"""Marking a received message as read, against the sandbox."""

from __future__ import annotations

import uuid

import pytest
from django_tenants.utils import schema_context

from messaging.models import Message
from messaging.services.reading import message_mark_read
from tenants.errors import Conflict, NotFound


@pytest.fixture
def received(committed, sandbox, make_channel, settings):
    """(organisation, a message that the sandbox's phone wrote to the channel), stored as the webhook would."""
    settings.SANDBOX_URL = sandbox.url
    sandbox.control("POST", "reset")
    organization, _ = committed
    channel = make_channel(organization)
    sandbox.control(
        "POST",
        "numbers",
        {"phone_number_id": channel.external_id, "waba_id": "980215774401238", "display_phone_number": "+22997000000"},
    )
    sent = sandbox.reply("22961000001", text="Hello?", phone_number_id=channel.external_id)
    with schema_context(organization.schema_name):
        message = Message.objects.create(
            channel_id=channel.pk,
            direction="in",
            status="received",
            address="22961000001",
            type="text",
            content={"type": "text", "text": {"body": "Hello?"}},
            origin="customer",
            provider_id=sent["id"],
        )
    return organization, message


def test_the_provider_is_told_and_the_time_is_kept(received):
    organization, message = received
    with schema_context(organization.schema_name):
        message_mark_read(message_uuid=message.uuid, typing=True)
        message.refresh_from_db()
        assert message.read_at is not None
        assert message.status == "received"


def test_a_refusal_of_the_provider_is_passed_on_and_nothing_changes(received):
    organization, message = received
    with schema_context(organization.schema_name):
        Message.objects.update(provider_id="wamid.unknown")
        with pytest.raises(Conflict) as refusal:
            message_mark_read(message_uuid=message.uuid)
        message.refresh_from_db()
    assert refusal.value.code == "read_refused"
    assert message.read_at is None


def test_a_provider_that_is_away_is_said_so(received, settings):
    organization, message = received
    settings.SANDBOX_URL = "http://127.0.0.1:9"
    with schema_context(organization.schema_name), pytest.raises(Conflict) as refusal:
        message_mark_read(message_uuid=message.uuid)
    assert refusal.value.code == "provider_unreachable"


def test_only_received_messages_can_be_read(received):
    organization, message = received
    with schema_context(organization.schema_name):
        Message.objects.update(direction="out")
        for unknown in (message.uuid, uuid.uuid4()):
            with pytest.raises(NotFound):
                message_mark_read(message_uuid=unknown)
