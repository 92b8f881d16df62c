"""Committed organisations with a channel each, and a way to have a body processed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_tenants.utils import schema_context


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """Routes and secrets are remembered for a moment: not from one test to the next."""
    from messaging.inbound import routing, signatures

    routing.cache_clear()
    signatures.cache_clear()
    yield
    routing.cache_clear()
    signatures.cache_clear()


@pytest.fixture
def live(committed: Any, make_channel: Callable[..., Any]) -> Any:
    """(organisation, its channel, other organisation, its channel), committed."""
    organization, other = committed
    return organization, make_channel(organization), other, make_channel(other)


@pytest.fixture
def feed() -> Callable[..., Any]:
    """`feed(body, organization=None)`: store a body as an event and process it; returns the event."""
    from messaging.inbound.processing import event_process
    from tenants.models import InboundEvent

    def run(body: bytes, organization: Any = None) -> Any:
        event = InboundEvent.objects.create(body=body, organization=organization)
        event_process(event_id=event.pk)
        event.refresh_from_db()
        return event

    return run


@pytest.fixture
def make_message() -> Callable[..., Any]:
    """`make_message(organization, channel, **fields)`: an outgoing message, by default on its way."""

    def make(organization: Any, channel: Any, **fields: Any) -> Any:
        from messaging.models import Message

        defaults = {
            "channel": channel,
            "direction": "out",
            "status": "processing",
            "address": "22997000001",
            "type": "text",
            "content": {"type": "text", "text": {"body": "Your code is 123456"}},
            "origin": "api",
        }
        with schema_context(organization.schema_name):
            message = Message.objects.create(**(defaults | fields))
            message.refresh_from_db()
            return message

    return make


@pytest.fixture
def counters() -> Callable[[Any], dict[str, int]]:
    """`counters(organization)`: the sums of the channels' counters, without those that are 0."""

    def read(organization: Any) -> dict[str, int]:
        from messaging.models import ChannelCount

        total: Counter[str] = Counter()
        with schema_context(organization.schema_name):
            for metric, count in ChannelCount.objects.values_list("metric", "count"):
                total[metric] += count
        return {metric: count for metric, count in total.items() if count}

    return read


@pytest.fixture
def reread() -> Callable[[Any, Any], Any]:
    """`reread(organization, row)`: the row as it is in the database now."""

    def read(organization: Any, row: Any) -> Any:
        with schema_context(organization.schema_name):
            row.refresh_from_db()
        return row

    return read
