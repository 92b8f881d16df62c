"""What is going on in a channel: what waits and why, and what those who watch everything are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from messaging.models import Channel, ChannelCount, Message, SendAttempt
from messaging.pulse import Wait, channel_pulses
from messaging.services.channels import channel_pause, channel_resume
from tenants.models import AgendaItem, ChannelHealth


@pytest.fixture
def make_message(channel: Any) -> Callable[..., Message]:
    def make(status: str, **fields: Any) -> Message:
        defaults = {"channel": channel, "direction": "out", "address": "22997120001", "type": "text",
                    "origin": "api", "content": {}, "priority": 10}  # fmt: skip
        return Message.objects.create(status=status, **(defaults | fields))

    return make


def pulse(channel: Channel, *, active: bool = True, alive: bool = True) -> Any:
    channel.refresh_from_db()
    [found] = channel_pulses(channels=[channel], organization_active=active, worker_alive=alive)
    return found


def lane(channel: Channel, *, due: float | None, leased: float | None = None) -> None:
    """Due and leased so many seconds from now."""
    now = timezone.now()
    AgendaItem.objects.filter(kind="channel", key=str(channel.pk)).update(
        due_at=None if due is None else now + timedelta(seconds=due),
        leased_until=None if leased is None else now + timedelta(seconds=leased),
    )


def test_a_channel_with_nothing_to_do_waits_for_nothing(channel):
    found = pulse(channel)
    assert (found.wait, found.waits, found.rate, found.errors) == (Wait.NOTHING, 0, 0.0, ())


def test_a_queue_that_a_worker_holds_goes_out_at_the_rate(channel, make_message):
    make_message("queued", queued_at=timezone.now() - timedelta(seconds=90))
    make_message("queued", priority=0)
    lane(channel, due=-100, leased=10)
    found = pulse(channel)
    assert (found.wait, found.queue.queued) == (Wait.RATE, 2)
    assert 89 < found.queue.oldest_seconds < 95
    Channel.objects.update(rate_per_second=0)
    assert pulse(channel).wait is Wait.TURN


@pytest.mark.parametrize(
    ("due", "leased", "alive", "wait"),
    [
        (-60, None, True, Wait.NO_WORKER),
        (-60, -20, True, Wait.NO_WORKER),
        (-2, None, True, Wait.RATE),
        (-60, 10, False, Wait.NO_WORKER),
        (-60, 10, True, Wait.RATE),
    ],
)
def test_a_queue_that_nobody_takes_says_so(channel, make_message, due, leased, alive, wait):
    make_message("queued")
    lane(channel, due=due, leased=leased)
    assert pulse(channel, alive=alive).wait is wait


def test_a_pause_comes_before_everything_but_a_suspension(channel, make_message):
    make_message("queued")
    assert channel_pause(channel_id=channel.pk, reason="Payment", by="ada@demo.example")
    found = pulse(channel, alive=False)
    assert found.wait is Wait.NOT_CONNECTED
    assert (found.channel.status_reason, found.channel.status_by) == ("Payment", "ada@demo.example")
    assert timezone.now() - found.channel.status_since < timedelta(minutes=1)
    assert pulse(channel, active=False).wait is Wait.SUSPENDED


def test_a_reached_cap_goes_on_at_midnight_utc(channel, make_message):
    make_message("queued")
    lane(channel, due=3600)
    Channel.objects.update(daily_cap=5)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    ChannelCount.objects.create(channel=channel, hour=hour, metric="sent", count=5)
    found = pulse(channel)
    assert found.wait is Wait.CAP
    assert (found.until.hour, found.until.minute) == (0, 0)
    assert timedelta(0) < found.until - timezone.now() <= timedelta(days=1)


@pytest.mark.parametrize(("status", "wait"), [("scheduled", Wait.SCHEDULED), ("in_doubt", Wait.DOUBT)])
def test_what_waits_for_its_time_or_for_the_provider(channel, make_message, status, wait):
    make_message(status, due_at=timezone.now() + timedelta(hours=1))
    assert pulse(channel).wait is wait


def test_errors_are_counted_in_words_for_each_channel(channel, make_message, in_schema, make_channel):
    now = timezone.now()
    other = make_channel(in_schema)
    for _ in range(3):
        make_message("failed", error_code="131026", error_reason="No account.", failed_at=now)
    make_message("failed", error_code="131026", error_reason="No account.", failed_at=now - timedelta(hours=30))
    make_message("failed", error_code="1", error_reason="Elsewhere.", failed_at=now, channel=other)
    retried = make_message("scheduled")
    SendAttempt.objects.create(message=retried, number=1, outcome="retry", code="130429", reason="Too fast.")
    SendAttempt.objects.create(message=retried, number=2, outcome="resolved", code="echo", reason="Sent.")
    assert [(error.reason, error.count) for error in pulse(channel).errors] == [("No account.", 3), ("Too fast.", 1)]
    assert [(error.reason, error.count) for error in pulse(other).errors] == [("Elsewhere.", 1)]


def test_six_queries_whatever_the_number_of_channels(channel, in_schema, make_channel, django_assert_max_num_queries):
    channels = [make_channel(in_schema) for _ in range(12)]
    with django_assert_max_num_queries(6):
        channel_pulses(channels=channels, organization_active=True, worker_alive=True)


def test_pausing_and_resuming_tell_the_platform_at_once(channel, make_message, organization):
    make_message("queued", priority=30, queued_at=timezone.now() - timedelta(hours=2))
    make_message("queued", priority=0)
    channel_pause(channel_id=channel.pk, reason="Payment", by="ada@demo.example")
    health = ChannelHealth.objects.get(organization=organization, channel_id=channel.pk)
    assert (health.status, health.reason, health.queued, health.name) == ("paused", "Payment", 2, "Support")
    # The oldest is not the most urgent one.
    assert timedelta(hours=1) < timezone.now() - health.oldest_at < timedelta(hours=3)
    channel_resume(channel_id=channel.pk, by="ada@demo.example")
    health.refresh_from_db()
    assert (health.status, health.reason) == ("connected", "")


def test_a_new_channel_is_known_to_the_platform(channel, organization):
    assert ChannelHealth.objects.get(organization=organization).channel_id == channel.pk
    assert connection.schema_name == organization.schema_name
