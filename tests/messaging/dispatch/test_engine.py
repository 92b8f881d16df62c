"""The engine end to end: queue, real HTTP to the sandbox, settled rows."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tenants.utils import schema_context

from bench.table import fullest_second
from messaging.dispatch.memory import RELOAD_EVERY
from messaging.models import Channel, ChannelCount, Message, SendAttempt
from tenants.models import AgendaItem, ChannelHealth


def rows(organization: Any, **filters: Any) -> list[Message]:
    with schema_context(organization.schema_name):
        return list(Message.objects.filter(**filters).order_by("id"))


def counted(organization: Any, metric: str) -> int:
    with schema_context(organization.schema_name):
        return sum(ChannelCount.objects.filter(metric=metric).values_list("count", flat=True))


def numbers(count: int, start: int = 0) -> list[str]:
    """Numbers that do not end in the sandbox's magic digits."""
    return [f"22961{index // 80:04d}{index % 80:02d}" for index in range(start, start + count)]


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
    ledger = sandbox.control("GET", "ledger/summary")
    assert (ledger["accepted"], ledger["distinct_opaque"], ledger["duplicates"]) == (250, 250, 0)
    lane = AgendaItem.objects.get(schema=organization.schema_name, kind="channel", key=str(channel.pk))
    assert lane.leased_until is None
    assert lane.due_at is not None


def times_of(sandbox: Any, channel: Any, limit: int = 1000) -> list[tuple[float, str]]:
    """(arrival, recipient) of the channel's sends at the provider, oldest first."""
    sends = sandbox.control("GET", f"ledger?phone_number_id={channel.external_id}&limit={limit}")["sends"]
    return sorted((send["at"], send["to"]) for send in sends)


def test_urgent_messages_overtake_those_that_wait(committed, engine, make_channel, queue, sandbox, wait_until):
    organization, _ = committed
    channel = make_channel(organization, rate_per_second=40)
    queue(organization, channel, numbers(60), priority=30)
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: len(rows(organization, status="sent")) >= 10)
    queue(organization, channel, ["+22990000001"], priority=0, origin="otp", is_sensitive=True)
    wait_until(lambda: len(rows(organization, status="sent")) == 61)
    order = [to for _, to in times_of(sandbox, channel)]
    # At 40 a second half a second's worth may be claimed already; everything behind that is overtaken.
    assert order.index("22990000001") < 45
    [otp] = rows(organization, origin="otp")
    assert "Hello" not in str(otp.content)


def test_no_second_ever_sees_more_than_the_rate(committed, engine, make_channel, queue, sandbox, wait_until):
    organization, _ = committed
    channel = make_channel(organization, rate_per_second=80)
    queue(organization, channel, numbers(280))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: len(rows(organization, status="sent")) == 280, 15)
    assert fullest_second([at for at, _ in times_of(sandbox, channel)]) <= 80


def test_a_rate_that_staff_lower_holds_for_messages_that_are_queued_already(
    committed, engine, make_channel, queue, sandbox, wait_until
):
    organization, _ = committed
    channel = make_channel(organization, rate_per_second=40)
    queue(organization, channel, numbers(180))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: len(rows(organization, status="sent")) >= 20)
    with schema_context(organization.schema_name):
        Channel.objects.filter(pk=channel.pk).update(rate_per_second=10)
    changed_at = time.time()
    wait_until(lambda: len(rows(organization, status="sent")) == 180, 30)
    later = [at for at, _ in times_of(sandbox, channel) if at > changed_at + RELOAD_EVERY + 1.0]
    assert len(later) > 10
    assert fullest_second(later) <= 10


def test_the_next_messages_are_claimed_before_a_slow_provider_answers(
    committed, engine, make_channel, queue, sandbox, wait_until, monkeypatch
):
    monkeypatch.setattr("messaging.dispatch.lane.LOOK_EVERY", 60)
    organization, _ = committed
    channel = make_channel(organization, rate_per_second=40)
    sandbox.control("PUT", "switches", {"latency_ms": 6000})
    queue(organization, channel, numbers(40))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: len(times_of(sandbox, channel)) == 40)
    first, *_, last = (at for at, _ in times_of(sandbox, channel))
    assert last - first < 6.0
    wait_until(lambda: len(rows(organization, status="sent")) == 40, 30)


def test_the_rate_holds_when_the_lane_changes_hands(
    committed, engine, make_channel, queue, sandbox, wait_until, settings
):
    from messaging.dispatch.runtime import Engine

    organization, _ = committed
    channel = make_channel(organization, rate_per_second=20)
    second = Engine().start()
    try:
        for batch in range(6):
            queue(organization, channel, numbers(10, start=batch * 10))
            (engine, second)[batch % 2].pump(organization.schema_name, channel.pk)
            wait_until(lambda wanted=(batch + 1) * 10: len(rows(organization, status="sent")) == wanted)
    finally:
        second.stop()
    assert fullest_second([at for at, _ in times_of(sandbox, channel)]) <= 20


def test_the_rate_holds_with_eight_engines_at_one_channel(committed, engine, make_channel, queue, sandbox, wait_until):
    from messaging.dispatch.runtime import Engine

    organization, _ = committed
    channel = make_channel(organization, rate_per_second=80)
    others = [Engine().start() for _ in range(7)]
    try:
        # In pieces, so that the lane becomes free again and again and all eight reach for it.
        for batch in range(8):
            queue(organization, channel, numbers(30, start=batch * 30))
            for competitor in (engine, *others):
                competitor.pump(organization.schema_name, channel.pk)
            wait_until(lambda wanted=(batch + 1) * 30: len(rows(organization, status="sent")) == wanted, 20)
    finally:
        for competitor in others:
            competitor.stop()
    times = [at for at, _ in times_of(sandbox, channel)]
    assert len(times) == 240
    assert fullest_second(times) <= 80


def test_two_engines_send_each_message_once(committed, engine, make_channel, queue, sandbox, wait_until):
    from messaging.dispatch.runtime import Engine

    organization, _ = committed
    channels = [make_channel(organization, rate_per_second=0) for _ in range(3)]
    for channel in channels:
        queue(organization, channel, numbers(300))
    second = Engine().start()
    try:
        for _ in range(20):
            for channel in channels:
                engine.pump(organization.schema_name, channel.pk)
                second.pump(organization.schema_name, channel.pk)
        wait_until(lambda: len(rows(organization, status="sent")) == 900, 20)
    finally:
        second.stop()
    ledger = sandbox.control("GET", "ledger/summary")
    assert (ledger["accepted"], ledger["distinct_opaque"]) == (900, 900)


def test_a_throttled_message_is_tried_again_later(committed, engine, make_channel, queue, sandbox, wait_until):
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["+22961000098"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "scheduled")
    [message] = rows(organization)
    assert message.error_code == "130429"
    assert message.due_at > datetime.now(UTC)
    with schema_context(organization.schema_name):
        [attempt] = SendAttempt.objects.all()
        assert (attempt.outcome, attempt.code, attempt.number) == ("retry", "130429", 1)
        Message.objects.update(due_at=datetime.now(UTC))
    AgendaItem.objects.filter(kind="channel").update(due_at=datetime.now(UTC))
    wait_until(engine.idle)
    AgendaItem.objects.filter(kind="channel").update(due_at=datetime.now(UTC))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "sent")
    assert rows(organization)[0].attempts == 2


def test_a_lost_answer_leaves_doubt_and_nothing_is_sent_again(
    committed, engine, make_channel, queue, sandbox, wait_until
):
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["+22961000096"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "in_doubt")
    wait_until(engine.idle)
    engine.pump(organization.schema_name, channel.pk)
    wait_until(engine.idle)
    assert sandbox.control("GET", "ledger/summary")["accepted"] == 1
    [message] = rows(organization)
    assert message.status == "in_doubt"
    assert message.due_at > datetime.now(UTC)


@pytest.mark.parametrize(("origin", "expected"), [("api", "sent"), ("campaign", "failed")])
def test_doubt_that_nobody_resolves_is_decided_by_origin(
    committed, engine, make_channel, queue, sandbox, wait_until, settings, origin, expected
):
    settings.IN_DOUBT_WINDOW_SECONDS = 1
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["+22961000001"], origin=origin)
    with schema_context(organization.schema_name):
        # What a worker leaves that was killed after its claim: a claim under an old fence, and a lease that ended.
        Message.objects.update(status="processing", fence=0, attempts=1, claimed_at=datetime.now(UTC))
    AgendaItem.objects.filter(kind="channel").update(leased_until=datetime.now(UTC) - timedelta(seconds=1))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "in_doubt")
    wait_until(engine.idle)
    wait_until(lambda: rows(organization)[0].due_at < datetime.now(UTC))
    AgendaItem.objects.filter(kind="channel").update(due_at=datetime.now(UTC))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == expected)
    assert sandbox.control("GET", "ledger/summary")["accepted"] == (1 if expected == "sent" else 0)
    assert counted(organization, expected) == 1


def test_a_result_that_comes_after_the_lane_was_taken_over_still_counts(
    committed, engine, make_channel, queue, wait_until
):
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["+22961000097"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "processing")
    with schema_context(organization.schema_name):
        Message.objects.update(status="in_doubt", due_at=datetime.now(UTC) + timedelta(minutes=2))
    wait_until(lambda: rows(organization)[0].status == "sent")


def test_an_expired_message_fails_and_is_not_sent(committed, engine, make_channel, queue, sandbox, wait_until):
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["+22961000001"], expires_at=datetime.now(UTC) - timedelta(seconds=1))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "failed")
    assert rows(organization)[0].error_code == "expired"
    assert sandbox.control("GET", "ledger/summary")["accepted"] == 0


def test_a_bad_token_pauses_the_channel_and_keeps_its_messages(committed, engine, make_channel, queue, wait_until):
    from messaging.models import Channel

    organization, _ = committed
    channel = make_channel(organization, secrets={"access_token": "not-a-token"})
    queue(organization, channel, numbers(30))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(engine.idle)
    with schema_context(organization.schema_name):
        paused = Channel.objects.get(pk=channel.pk)
    assert paused.status == "paused"
    assert paused.status_reason
    assert {message.status for message in rows(organization)} == {"queued"}
    assert {message.attempts for message in rows(organization)} == {0}


@pytest.mark.parametrize("stopped", ["channel", "organization"])
def test_nothing_leaves_while_channel_or_organization_is_stopped(
    committed, engine, make_channel, queue, sandbox, wait_until, stopped
):
    from messaging.models import Channel
    from tenants.models import Organization

    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, numbers(5))
    try:
        with schema_context(organization.schema_name):
            if stopped == "channel":
                Channel.objects.update(status="paused")
        if stopped == "organization":
            Organization.objects.filter(pk=organization.pk).update(status="suspended")
        engine.pump(organization.schema_name, channel.pk)
        wait_until(engine.idle)
    finally:
        Organization.objects.filter(pk=organization.pk).update(status="active")
    assert {message.status for message in rows(organization)} == {"queued"}
    assert sandbox.control("GET", "ledger/summary")["accepted"] == 0


def test_a_daily_cap_stops_the_lane_until_the_next_day(committed, engine, make_channel, queue, sandbox, wait_until):
    from messaging.models import Channel

    organization, _ = committed
    channel = make_channel(organization)
    with schema_context(organization.schema_name):
        Channel.objects.filter(pk=channel.pk).update(daily_cap=7)
    queue(organization, channel, numbers(12))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: len(rows(organization, status="sent")) == 7)
    wait_until(engine.idle)
    assert len(rows(organization, status="queued")) == 5
    lane = AgendaItem.objects.get(kind="channel")
    assert lane.due_at.astimezone(UTC).time().isoformat() == "00:00:00"


def test_a_scheduled_message_waits_for_its_time(
    committed, engine, make_channel, queue, sandbox, wait_until, monkeypatch
):
    import tenants.agenda as agenda
    from tenants.agenda import agenda_tick

    organization, _ = committed
    channel = make_channel(organization)
    # Only the lane is looked at here, not the channel's token.
    AgendaItem.objects.exclude(kind="channel").delete()
    queue(organization, channel, ["+22961000001"], scheduled_at=datetime.now(UTC) + timedelta(seconds=1.5))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(engine.idle)
    assert rows(organization)[0].status == "scheduled"
    woken: list[tuple[str, int]] = []
    monkeypatch.setitem(agenda._lane_wakers, "channel", lambda schema, channel_id: woken.append((schema, channel_id)))
    assert agenda_tick() == 0
    wait_until(lambda: agenda_tick() == 1, 5)
    assert agenda_tick() == 0
    assert woken == [(organization.schema_name, channel.pk)]
    AgendaItem.objects.filter(kind="channel").update(due_at=datetime.now(UTC))
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "sent")


def test_a_row_that_cannot_be_prepared_fails_alone(committed, engine, make_channel, queue, wait_until, monkeypatch):
    organization, _ = committed
    channel = make_channel(organization)
    first, *_ = queue(organization, channel, numbers(5))
    with schema_context(organization.schema_name):
        Message.objects.filter(uuid=first).update(content={"no": "type"})
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: len(rows(organization, status="sent")) == 4)
    [poison] = rows(organization, uuid=first)
    assert (poison.status, poison.error_code) == ("failed", "internal")


def test_the_same_channel_id_of_two_organizations_is_two_lanes(committed, engine, make_channel, queue, wait_until):
    organization, other = committed
    mine, theirs = make_channel(organization), make_channel(other)
    assert mine.pk == theirs.pk
    queue(organization, mine, numbers(3))
    queue(other, theirs, numbers(4))
    engine.pump(other.schema_name, theirs.pk)
    wait_until(lambda: len(rows(other, status="sent")) == 4)
    assert len(rows(organization, status="queued")) == 3


def test_the_engine_tells_how_the_channel_is_doing(committed, engine, make_channel, queue, wait_until):
    organization, _ = committed
    channel = make_channel(organization, rate_per_second=0)
    queue(organization, channel, [f"2299712{number:04d}" for number in range(40)])
    ChannelHealth.objects.update(measured_at=timezone.now() - timedelta(hours=1), queued=40)

    engine.pump(organization.schema_name, channel.pk)
    wait_until(engine.idle)
    # Idle looks of the agenda: the first one finds that nothing is left.
    engine.pump(organization.schema_name, channel.pk)
    wait_until(engine.idle)

    health = ChannelHealth.objects.get(channel_id=channel.pk)
    assert (health.queued, health.in_doubt, health.status, health.oldest_at) == (0, 0, "connected", None)
    assert health.sent_total + sent_but_not_noted(channel.pk) == 40
    assert timezone.now() - health.measured_at < timedelta(seconds=30)


def sent_but_not_noted(channel_id: int) -> int:
    """What travels in the lane's state until the next note is due."""
    return int(AgendaItem.objects.get(kind="channel", key=str(channel_id)).state["health"]["sent"])


@pytest.mark.parametrize("at_once", [True, False])
def test_who_is_suppressed_while_messages_wait_does_not_get_them(
    committed, engine, make_channel, queue, sandbox, wait_until, at_once
):
    from contacts.models import Suppression

    organization, _ = committed
    channel = make_channel(organization)
    if at_once:
        # The lane knows its channel: its next lease claims along, by the other statement.
        queue(organization, channel, ["+22961000500"])
        engine.pump(organization.schema_name, channel.pk)
        wait_until(lambda: len(rows(organization, status="sent")) == 1)
        wait_until(engine.idle)
    people = ["+22961000001", "+22961000002", "+22961000003"]
    queue(organization, channel, people, "Sale", origin="campaign", is_marketing=True)
    queue(organization, channel, people, "Receipt")
    with schema_context(organization.schema_name):
        Suppression.objects.create(address="22961000001", reason="blacklist", scope="all")
        Suppression.objects.create(address="22961000002", reason="opt_out", scope="marketing")
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: not rows(organization, status__in=["queued", "processing"]))
    wait_until(engine.idle)
    held = rows(organization, status="failed")
    assert sorted((row.address, row.content["text"]["body"], row.error_code) for row in held) == [
        ("22961000001", "Receipt", "suppressed"),
        ("22961000001", "Sale", "suppressed"),
        ("22961000002", "Sale", "suppressed"),
    ]
    assert {row.error_reason for row in held if row.address == "22961000002"} == {
        "Not sent: this person has opted out of marketing messages meanwhile."
    }
    assert sorted(to for _, to in times_of(sandbox, channel) if to != "22961000500") == [
        "22961000002",
        "22961000003",
        "22961000003",
    ]
    assert counted(organization, "failed") == 3
