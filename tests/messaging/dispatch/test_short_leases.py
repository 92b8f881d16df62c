"""Lanes with a message now and then: taken with their message in one statement, beside a lane with many."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db import connection
from django_tenants.utils import schema_context

from messaging.dispatch.sql import EXTEND, statements
from messaging.models import Channel, Message
from tenants.models import AgendaItem


def sent(organization: Any, **filters: Any) -> int:
    with schema_context(organization.schema_name):
        return Message.objects.filter(status="sent", **filters).count()


def take(organization: Any, channel: Any, *, limit: int, owner: str = "somebody:1") -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            statements(organization.schema_name).take.decode(),
            {"schema": organization.schema_name, "channels": [channel.pk], "owners": [owner], "wanted": [limit],
             "lease": timedelta(seconds=15), "stale": timedelta(seconds=50)},
        )  # fmt: skip
        return cursor.fetchall()


def recall(organization: Any, channel: Any, owner: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            statements(organization.schema_name).recall_taken.decode(),
            {"schema": organization.schema_name, "key": str(channel.pk), "channel": channel.pk, "owner": owner},
        )


def test_a_lane_is_taken_with_its_first_messages_by_priority_then_age(committed, make_channel, queue):
    organization, _ = committed
    channel = make_channel(organization)
    later, urgent = (
        queue(organization, channel, ["22961000001"]),
        queue(organization, channel, ["22961000002"], priority=0),
    )
    rows = take(organization, channel, limit=1)
    assert [row[8] for row in rows] == [str(urgent[0])]
    with schema_context(organization.schema_name):
        assert Message.objects.get(uuid=urgent[0]).status == "processing"
        assert Message.objects.get(uuid=later[0]).status == "queued"
    assert take(organization, channel, limit=1) == [], "somebody has it"


def test_nothing_is_claimed_along_for_a_paused_channel_or_without_a_limit(committed, make_channel, queue):
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["22961000001"])
    [row] = take(organization, channel, limit=0)
    assert row[7] is None
    AgendaItem.objects.update(leased_until=None)
    with schema_context(organization.schema_name):
        Channel.objects.update(status="paused")
    [row] = take(organization, channel, limit=10)
    assert row[7] is None


def test_a_lease_whose_answer_was_lost_is_given_back_with_its_messages(committed, make_channel, queue):
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["22961000001"])
    take(organization, channel, limit=10, owner="here:7")
    recall(organization, channel, "here:8")
    with schema_context(organization.schema_name):
        assert Message.objects.get().status == "processing", "that was another attempt's lease"
    recall(organization, channel, "here:7")
    with schema_context(organization.schema_name):
        message = Message.objects.get()
    assert (message.status, message.attempts, message.fence) == ("queued", 0, None)
    assert len(take(organization, channel, limit=10)) == 1, "the lane is free at once"


def test_a_channel_that_was_paused_for_its_token_is_read_again_when_it_goes_on(
    committed, engine, make_channel, queue, wait_until
):
    organization, _ = committed
    channel = make_channel(organization, secrets={"access_token": "wrong"})
    queue(organization, channel, ["22961000001"])
    engine.pump(organization.schema_name, channel.pk)

    def status() -> str:
        with schema_context(organization.schema_name):
            return str(Channel.objects.get().status)

    wait_until(lambda: status() == "paused")
    wait_until(engine.idle)
    with schema_context(organization.schema_name):
        row = Channel.objects.get()
        row.secrets, row.status = {"access_token": "sandbox-token-new"}, "connected"
        row.save(update_fields=["secrets", "status"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: sent(organization) == 1)


def test_channels_with_one_message_do_not_wait_for_one_with_thousands(
    committed, engine, make_channel, queue, sandbox, wait_until
):
    organization, other = committed
    flooded = make_channel(organization, rate_per_second=0)
    queue(organization, flooded, [f"22961{index // 80:04d}{index % 80:02d}" for index in range(3000)])
    engine.pump(organization.schema_name, flooded.pk)
    wait_until(lambda: sent(organization, channel_id=flooded.pk) > 0)
    few = [(owner, make_channel(owner)) for owner in (organization, other) for _ in range(5)]
    for owner, channel in few:
        queue(owner, channel, ["22962000001"])
        engine.pump(owner.schema_name, channel.pk)
    wait_until(lambda: sum(sent(owner, channel_id=channel.pk) for owner, channel in few) == 10)
    assert sent(organization, channel_id=flooded.pk) < 3000, "the flood was still going on"
    wait_until(lambda: sent(organization, channel_id=flooded.pk) == 3000, 60)


def test_a_heartbeat_that_comes_after_the_release_does_not_take_the_lane_again(committed, make_channel, queue):
    organization, _ = committed
    channel = make_channel(organization)
    [row] = take(organization, channel, limit=0)
    lane, fence = row[1:3]
    extend = {"lane": lane, "fence": fence, "lease": timedelta(seconds=15)}
    released = {"lane": lane, "fence": fence, "channel": channel.pk, "state": {}, "look_again": 5}
    with connection.cursor() as cursor:
        cursor.execute(EXTEND, extend)
        assert cursor.rowcount == 1, "while the lane is held"
        cursor.execute(statements(organization.schema_name).release.decode(), {"lanes": json.dumps([released])})
        assert cursor.fetchall() == [(lane, False)]
        cursor.execute(EXTEND, extend)
        assert cursor.rowcount == 0
    assert len(take(organization, channel, limit=0)) == 1


def test_lanes_that_are_taken_together_get_each_their_own_messages(committed, make_channel, queue):
    organization, _ = committed
    channels = [make_channel(organization) for _ in range(3)]
    queued = {channel.pk: queue(organization, channel, ["22961000001", "22961000002"]) for channel in channels}
    with connection.cursor() as cursor:
        cursor.execute(
            statements(organization.schema_name).take.decode(),
            {"schema": organization.schema_name, "channels": [channel.pk for channel in channels],
             "owners": ["a:1", "a:2", "a:3"], "wanted": [0, 1, 5],
             "lease": timedelta(seconds=15), "stale": timedelta(seconds=50)},
        )  # fmt: skip
        rows = cursor.fetchall()
    first, second, third = (channel.pk for channel in channels)
    claimed = {pk: [row[8] for row in rows if row[0] == pk and row[8] is not None] for pk in queued}
    assert claimed[first] == []
    assert claimed[second] == [str(queued[second][0])], "the older one"
    assert sorted(claimed[third]) == sorted(str(uuid) for uuid in queued[third])
    assert len({row[1] for row in rows}) == 3, "three leases"


def test_a_channel_that_changed_is_read_again_before_anything_leaves(
    committed, engine, make_channel, queue, sandbox, wait_until
):
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["22961000001"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: sent(organization) == 1 and engine.idle())
    with schema_context(organization.schema_name):
        row = Channel.objects.get()
        row.secrets = {"access_token": "wrong"}
        row.save(update_fields=["secrets"])
    queue(organization, channel, ["22961000002"])
    engine.pump(organization.schema_name, channel.pk)

    def status() -> str:
        with schema_context(organization.schema_name):
            return str(Channel.objects.get().status)

    wait_until(lambda: status() == "paused")
    assert sent(organization) == 1, "the new token was used at once"
