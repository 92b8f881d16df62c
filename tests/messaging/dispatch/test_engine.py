"""The engine end to end: queue, real HTTP to the sandbox, settled rows."""

from __future__ import annotations

from typing import Any

import pytest
from django_tenants.utils import schema_context

from messaging.models import ChannelCount, Message, SendAttempt
from tenants.models import AgendaItem


def rows(organization: Any, **filters: Any) -> list[Message]:
    with schema_context(organization.schema_name):
        return list(Message.objects.filter(**filters).order_by("id"))


def counted(organization: Any, metric: str) -> int:
    with schema_context(organization.schema_name):
        return sum(ChannelCount.objects.filter(metric=metric).values_list("count", flat=True))


def numbers(count: int, start: int = 0) -> list[str]:
    """Numbers that do not end in the sandbox's magic digits."""
    return [f"22997{index // 80:04d}{index % 80:02d}" for index in range(start, start + count)]


def test_queued_messages_are_sent_once_and_counted(committed, engine, make_channel, queue, sandbox, wait_until):
    organization, _ = committed
    channel = make_channel(organization)
    uuids = queue(organization, channel, numbers(250))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: len(rows(organization, status="sent")) == 250)
    assert {message.uuid for message in rows(organization)} == set(uuids)
    assert all(message.provider_id.startswith("wamid.") and message.sent_at for message in rows(organization))
    wait_until(engine.idle)
    assert counted(organization, "accepted") == counted(organization, "sent") == 250
    ledger = sandbox.control("GET", f"ledger/summary?phone_number_id={channel.external_id}")
    assert (ledger["accepted"], ledger["distinct"], ledger["duplicates"]) == (250, 250, 0)
    lane = AgendaItem.objects.get(schema=organization.schema_name, key=str(channel.pk))
    assert lane.leased_until is None
    assert lane.due_at is not None
