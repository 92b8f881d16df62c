"""What the engine's statements do twice, late, or after the database was away."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest
from django.db import connection
from django_tenants.utils import schema_context

from messaging.dispatch.sql import statements
from messaging.models import ChannelCount, Message, SendAttempt
from tenants.models import AgendaItem, InboundEvent

FENCE = 7


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def claimed(committed: Any, make_channel: Any, queue: Any) -> tuple[Any, Any, int]:
    """(organisation, channel, message id): one message that the lane with fence 7 has claimed."""
    organization, _ = committed
    channel = make_channel(organization)
    queue(organization, channel, ["+22961000001"])
    with schema_context(organization.schema_name):
        Message.objects.update(status="processing", fence=FENCE, attempts=1, claimed_at=now())
        return organization, channel, Message.objects.get().pk


def execute(query: bytes, **params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query.decode(), params)


def settle(organization: Any, channel: Any, **result: Any) -> None:
    row = {
        "fence": FENCE,
        "provider_id": None,
        "code": "",
        "reason": "",
        "delay": None,
        "left_at": time.time(),
        "risks": None,
    } | result
    execute(
        statements(organization.schema_name).settle,
        results=orjson.dumps([row]).decode(),
    )


def counters(organization: Any) -> dict[str, int]:
    with schema_context(organization.schema_name):
        rows = list(ChannelCount.objects.exclude(metric="accepted").values_list("metric", "count"))
    found: dict[str, int] = {}
    for metric, count in rows:
        found[metric] = found.get(metric, 0) + count
    return found


def the_message(organization: Any) -> Message:
    with schema_context(organization.schema_name):
        return Message.objects.get()


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"status": "sent", "provider_id": "wamid.1"}, {"sent": 1}),
        ({"status": "failed", "code": "131026", "reason": "No."}, {"failed": 1}),
        ({"status": "scheduled", "code": "130429", "reason": "Later.", "delay": 60, "risks": ["spam"]}, {"spam": 1}),
        ({"status": "in_doubt", "code": "in_doubt", "reason": "Lost.", "delay": 60}, {}),
        ({"status": "queued", "code": "190", "reason": "Paused.", "risks": ["quality"]}, {"quality": 1}),
    ],
)
def test_a_settle_whose_answer_was_lost_changes_nothing_when_repeated(claimed, result, expected):
    organization, channel, message_id = claimed
    settle(organization, channel, id=message_id, **result)
    first = the_message(organization)
    settle(organization, channel, id=message_id, **result)
    second = the_message(organization)
    assert first.status == result["status"]
    for name in ("status", "due_at", "attempts", "error_code", "sent_at", "failed_at", "provider_id"):
        assert getattr(second, name) == getattr(first, name), name
    assert (second.due_at is not None) == (result.get("delay") is not None)
    assert counters(organization) == expected
    with schema_context(organization.schema_name):
        assert SendAttempt.objects.count() == (1 if result.get("code") else 0)


def test_a_claim_whose_answer_was_lost_goes_back_to_the_queue_unsent(claimed):
    organization, channel, _ = claimed
    recall = statements(organization.schema_name).recall
    execute(recall, channel=channel.pk, fence=FENCE + 1)
    assert the_message(organization).status == "processing"
    execute(recall, channel=channel.pk, fence=FENCE)
    message = the_message(organization)
    assert (message.status, message.attempts, message.fence, message.claimed_at) == ("queued", 0, None, None)


def take_up(organization: Any, channel: Any) -> Message:
    execute(
        statements(organization.schema_name).due,
        channel=channel.pk,
        policy="resend",
        reason="",
        limit=100,
        window=timedelta(seconds=120),
        late=timedelta(seconds=30),
    )
    return the_message(organization)


def doubt(organization: Any, due_at: datetime) -> None:
    with schema_context(organization.schema_name):
        Message.objects.update(status="in_doubt", due_at=due_at, error_code="in_doubt")


@pytest.mark.parametrize("state", ["received", "failed"])
def test_a_doubt_waits_for_the_webhooks_that_have_arrived_but_are_not_processed(claimed, state):
    organization, channel, _ = claimed
    doubt(organization, now() - timedelta(seconds=2))
    event = InboundEvent.objects.create(body=b"{}", status=state)
    InboundEvent.objects.update(received_at=now() - timedelta(seconds=3))
    assert take_up(organization, channel).status == "in_doubt"
    event.status = "done"
    event.save()
    assert take_up(organization, channel).status == "queued"


@pytest.mark.parametrize("received_ago", [1, 700])
def test_a_doubt_does_not_wait_for_later_webhooks_nor_for_hopeless_ones(claimed, received_ago):
    organization, channel, _ = claimed
    doubt(organization, now() - timedelta(seconds=2))
    InboundEvent.objects.create(body=b"{}", status="failed")
    InboundEvent.objects.update(received_at=now() - timedelta(seconds=received_ago))
    assert take_up(organization, channel).status == "queued"


def test_a_doubt_that_ended_while_we_were_away_waits_for_its_window_again(claimed):
    organization, channel, _ = claimed
    doubt(organization, now() - timedelta(minutes=5))
    message = take_up(organization, channel)
    assert message.status == "in_doubt"
    assert timedelta(seconds=110) < message.due_at - now() <= timedelta(seconds=120)
    assert message.fence == FENCE
    with schema_context(organization.schema_name):
        assert not SendAttempt.objects.exists()


def connections_cut() -> int:
    """Terminate every other connection to this database; returns how many there were."""
    with psycopg.connect(**psycopg.conninfo.conninfo_to_dict(_dsn()), autocommit=True) as operator:
        row = operator.execute(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'griot-dispatch'"""
        ).fetchone()
    assert row is not None
    return int(row[0])


def _dsn() -> str:
    from tenants.lanes.runtime import connection_string

    return connection_string()


def test_cut_connections_in_the_middle_of_sending_lose_nothing_and_are_noticed_in_a_moment(
    committed, engine, make_channel, queue, sandbox, wait_until: Callable[..., None]
):
    organization, _ = committed
    channel = make_channel(organization, rate_per_second=0)
    sandbox.control("PUT", "switches", {"latency_ms": 30})
    numbers = [f"22961{index // 80:04d}{index % 80:02d}" for index in range(3000)]
    queue(organization, channel, numbers)

    def sent() -> int:
        with schema_context(organization.schema_name):
            return Message.objects.filter(status="sent").count()

    engine.pump(organization.schema_name, channel.pk)
    cuts = 0
    for goal in (200, 900, 1600):
        wait_until(lambda goal=goal: sent() >= goal, 20)
        cuts += connections_cut()
    wait_until(lambda: sent() == 3000, 30)
    assert cuts >= 3
    ledger = sandbox.control("GET", "ledger/summary")
    assert (ledger["accepted"], ledger["distinct_opaque"]) == (3000, 3000)
    wait_until(engine.idle)
    assert counters(organization) == {"sent": 3000}
    lane = AgendaItem.objects.get(kind="channel")
    assert lane.leased_until is None
