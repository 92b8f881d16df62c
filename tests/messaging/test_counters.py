"""Counters: squashing keeps every sum, also while others write."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_context

from messaging.dispatch.sql import statements
from messaging.models import ChannelCount, RunCount
from messaging.reports import channel_day, channel_risks
from messaging.services.counters import counts_note, counts_squash, counts_squash_schema
from tenants import agenda
from tenants.models import AgendaItem


def test_squash_leaves_one_row_per_channel_hour_and_metric(channel):
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for _ in range(7):
        ChannelCount.objects.create(channel=channel, hour=hour, metric="sent", count=3)
    ChannelCount.objects.create(channel=channel, hour=hour - timedelta(hours=1), metric="sent", count=1)
    counts_squash_schema(connection.schema_name)
    counts_squash_schema(connection.schema_name)
    assert sorted(ChannelCount.objects.values_list("hour", "count", "squashed")) == [
        (hour - timedelta(hours=1), 1, True),
        (hour, 21, True),
    ]


def test_counters_of_runs_are_squashed_per_run_variant_minute_and_metric(in_schema):
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    for run, variant, count in ((1, 0, 2), (1, 0, 3), (1, 7, 1), (2, 0, 4), (2, 0, -1)):
        RunCount.objects.create(run_id=run, variant_id=variant, minute=minute, metric="sent", count=count)
    counts_squash_schema(connection.schema_name, "messaging_runcount")
    rows = RunCount.objects.values_list("run_id", "variant_id", "count", "squashed")
    assert sorted(rows) == [(1, 0, 5, True), (1, 7, 1, True), (2, 0, 3, True)]


def test_nothing_is_lost_when_two_squash_while_others_count(committed, make_channel):
    organization, _ = committed
    channel = make_channel(organization)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def write() -> None:
        with schema_context(organization.schema_name):
            for _ in range(100):
                ChannelCount.objects.create(channel_id=channel.pk, hour=hour, metric="sent", count=1)
        connections.close_all()

    def squash() -> None:
        for _ in range(10):
            counts_squash_schema(organization.schema_name)
        connections.close_all()

    threads = [threading.Thread(target=work) for work in (write, write, squash, squash)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts_squash_schema(organization.schema_name)
    with schema_context(organization.schema_name):
        assert ChannelCount.objects.aggregate(total=Sum("count"))["total"] == 200
        assert ChannelCount.objects.count() == 1


def test_the_day_is_the_utc_day_and_adds_all_rows(channel):
    now = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
    for hour, metric, count in ((0, "sent", 5), (0, "sent", 2), (0, "failed", 1), (-1, "sent", 50)):
        at = datetime(2026, 3, 4, tzinfo=UTC) + timedelta(hours=hour)
        ChannelCount.objects.create(channel=channel, hour=at, metric=metric, count=count)
    day = channel_day(channel=channel, now=now)
    assert (day.date.isoformat(), day.sent, day.failed, day.accepted) == ("2026-03-04", 7, 1, 0)
    assert (day.limit, day.remaining) == (None, None)


def test_a_new_live_number_grows_its_daily_limit_and_what_was_sent_counts(in_schema, make_channel):
    channel = make_channel(in_schema, is_sandbox=False)
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert channel_day(channel=channel, now=now).limit == 250
    channel.first_live_send_at = now - timedelta(days=3)
    ChannelCount.objects.create(channel=channel, hour=now.replace(hour=1), metric="sent", count=300)
    day = channel_day(channel=channel, now=now)
    assert (day.limit, day.remaining) == (2000, 1700)
    channel.first_live_send_at = now - timedelta(days=10)
    assert channel_day(channel=channel, now=now).limit is None


def test_risk_adds_up_failures_and_provider_complaints(channel):
    now = datetime.now(UTC)
    for metric, count in (("sent", 80), ("failed", 40), ("spam", 2), ("template_pause", 1)):
        ChannelCount.objects.create(channel=channel, hour=now, metric=metric, count=count)
    ChannelCount.objects.create(channel=channel, hour=now - timedelta(hours=30), metric="spam", count=9)
    risk = channel_risks(channels=[channel])[channel.pk]
    assert {what: points for what, _, points in risk.parts} == {
        "failed": 25,
        "spam": 20,
        "quality": 0,
        "template_pause": 15,
    }
    assert risk.score == 60


@pytest.fixture
def nothing_noted(monkeypatch):
    monkeypatch.setattr(agenda, "_noted", {})


def squash_items():
    return list(AgendaItem.objects.filter(kind="counts_squash").values_list("schema", flat=True))


def test_taking_a_lane_puts_the_organisation_on_the_agenda_for_the_squash_once(channel, organization, nothing_noted):
    assert squash_items() == []
    take = statements(organization.schema_name).take.decode()
    hold = {
        "owners": ["one"],
        "lease": timedelta(seconds=15),
        "stale": timedelta(minutes=5),
        "channels": [channel.pk],
        "wanted": [0],
    }
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(take, {"schema": organization.schema_name, **hold})
            AgendaItem.objects.filter(kind="channel").update(leased_until=None)
    assert squash_items() == [organization.schema_name]


def test_the_squash_comes_again_until_there_is_nothing_to_add_up(channel):
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def count(rows):
        ChannelCount.objects.bulk_create(
            ChannelCount(channel=channel, hour=hour, metric="sent", count=1) for _ in range(rows)
        )

    schema, started = connection.schema_name, datetime.now(UTC)
    count(250)
    assert timedelta(seconds=29) < counts_squash(schema, "") - started < timedelta(seconds=60)
    assert ChannelCount.objects.values_list("count", "squashed").get() == (250, True)
    count(3)
    assert timedelta(minutes=4) < counts_squash(schema, "") - started < timedelta(minutes=6)
    assert ChannelCount.objects.values_list("count", "squashed").get() == (253, True)
    assert counts_squash(schema, "") is None


def test_a_note_costs_a_statement_once_and_never_moves_an_item(organization, nothing_noted):
    with CaptureQueriesContext(connection) as captured:
        for _ in range(5):
            counts_note(schema=organization.schema_name)
    assert len(captured) == 1
    due = AgendaItem.objects.get(kind="counts_squash").due_at
    agenda._noted.clear()
    counts_note(schema=organization.schema_name)
    assert AgendaItem.objects.get(kind="counts_squash").due_at == due
