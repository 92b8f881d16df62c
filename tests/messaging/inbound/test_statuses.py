"""Reports in the database: matching, counters, side effects, parallel doubles."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django_tenants.utils import schema_context

from tests.messaging.inbound.bodies import AT, body, change, status

Make = Callable[..., Any]


def _ago(seconds: int) -> datetime:
    return datetime.fromtimestamp(AT, UTC) - timedelta(seconds=seconds)


def test_a_status_finds_its_message_by_our_uuid_and_fills_the_providers_id(
    live: Any, feed: Make, make_message: Make, reread: Make, counters: Make
) -> None:
    organization, channel, *_ = live
    message = make_message(organization, channel, queued_at=_ago(5))
    event = feed(body(change(channel.external_id, statuses=[status("wamid.A", "delivered", uuid=str(message.uuid))])))
    reread(organization, message)
    assert (event.status, event.problems) == ("done", [])
    assert (message.status, message.provider_id) == ("delivered", "wamid.A")
    assert message.sent_at == message.delivered_at == datetime.fromtimestamp(AT, UTC)
    assert counters(organization) == {"sent": 1, "delivered": 1}


def test_without_an_echo_the_providers_id_finds_it(live: Any, feed: Make, make_message: Make, reread: Make) -> None:
    organization, channel, *_ = live
    message = make_message(
        organization, channel, status="sent", provider_id="wamid.B", sent_at=_ago(1), queued_at=_ago(5)
    )
    feed(body(change(channel.external_id, statuses=[status("wamid.B", "read")])))
    assert reread(organization, message).status == "read"


def test_processing_the_same_event_twice_and_the_same_body_again_changes_nothing(
    live: Any, feed: Make, make_message: Make, reread: Make, counters: Make
) -> None:
    from messaging.inbound.processing import event_process

    organization, channel, *_ = live
    message = make_message(organization, channel)
    raw = body(change(channel.external_id, statuses=[status("wamid.C", "sent", uuid=str(message.uuid))]))
    event = feed(raw)
    before = reread(organization, message).__dict__.copy()
    event_process(event_id=event.pk)
    feed(raw)
    after = reread(organization, message).__dict__
    assert {k: v for k, v in after.items() if k != "_state"} == {k: v for k, v in before.items() if k != "_state"}
    assert counters(organization) == {"sent": 1}


def test_statuses_shuffled_doubled_and_cut_into_batches_end_the_same(
    live: Any, feed: Make, make_message: Make, reread: Make, counters: Make
) -> None:
    organization, channel, *_ = live
    messages = [make_message(organization, channel, queued_at=_ago(60)) for _ in range(30)]
    told = []
    for index, message in enumerate(messages):
        uuid, wamid = str(message.uuid), f"wamid.{index}"
        told.append(status(wamid, "sent", at=AT, uuid=uuid))
        if index % 3 == 0:
            told.append(status(wamid, "failed", at=AT + 1, uuid=uuid, code=131026))
        else:
            told += [status(wamid, "delivered", at=AT + 2, uuid=uuid), status(wamid, "read", at=AT + 3)]
        if index % 6 == 0:
            told.append(status(wamid, "delivered", at=AT + 4))
    # The first report of a message has to carry the echo: without it nothing links the provider's id to it.
    rng = random.Random(7)
    told = told * 2
    rng.shuffle(told)
    with_echo = [entry | {"biz_opaque_callback_data": str(messages[int(entry["id"][6:])].uuid)} for entry in told]
    while with_echo:
        size = rng.randint(1, 20)
        batch, with_echo = with_echo[:size], with_echo[size:]
        feed(body(change(channel.external_id, statuses=batch)))
    for index, message in enumerate(messages):
        reread(organization, message)
        expected = "delivered" if index % 6 == 0 else "failed" if index % 3 == 0 else "read"
        assert (message.status, message.provider_id) == (expected, f"wamid.{index}")
        assert message.sent_at == datetime.fromtimestamp(AT, UTC)
        assert message.error_code == ("131026" if expected == "failed" else "")
    assert counters(organization) == {"sent": 30, "delivered": 25, "read": 20, "failed": 5}


def test_parallel_doubles_count_once_and_do_not_deadlock(
    live: Any, feed: Make, make_message: Make, reread: Make, counters: Make
) -> None:
    organization, channel, *_ = live
    messages = [make_message(organization, channel) for _ in range(40)]
    told = [
        status(f"wamid.{index}", name, uuid=str(message.uuid))
        for index, message in enumerate(messages)
        for name in ("sent", "delivered")
    ]
    events, errors = [], []

    def deliver(seed: int) -> None:
        mine = list(told)
        random.Random(seed).shuffle(mine)
        try:
            events.append(feed(body(change(channel.external_id, statuses=mine))))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert [event.status for event in events] == ["done"] * 6
    assert {reread(organization, message).status for message in messages} == {"delivered"}
    assert counters(organization) == {"sent": 40, "delivered": 40}


def test_a_double_waits_for_the_transaction_of_the_first_and_then_counts_nothing(
    live: Any, make_message: Make, counters: Make
) -> None:
    from django.db import transaction

    from messaging.drivers.base import StatusUpdate
    from messaging.inbound.statuses import statuses_apply

    organization, channel, *_ = live
    message = make_message(organization, channel)
    update = StatusUpdate("wamid.M", "delivered", _ago(0), uuid=str(message.uuid))
    second: list[int] = []

    def apply() -> None:
        with schema_context(organization.schema_name):
            second.append(statuses_apply(channel_id=channel.pk, updates=[update]).changed)
        connection.close()

    thread = threading.Thread(target=apply)
    with schema_context(organization.schema_name), transaction.atomic():
        assert statuses_apply(channel_id=channel.pk, updates=[update]).changed == 1
        thread.start()
        thread.join(0.5)
        assert second == [], "the double did not wait"
    thread.join(30)
    assert second == [0]
    assert counters(organization) == {"sent": 1, "delivered": 1}


def test_a_doubt_is_resolved_and_says_so(live: Any, feed: Make, make_message: Make, reread: Make) -> None:
    from messaging.models import SendAttempt

    organization, channel, *_ = live
    message = make_message(
        organization,
        channel,
        status="in_doubt",
        attempts=1,
        error_code="in_doubt",
        error_reason="No answer",
        due_at=_ago(-60),
    )
    feed(body(change(channel.external_id, statuses=[status("wamid.D", "sent", uuid=str(message.uuid))])))
    reread(organization, message)
    assert (message.status, message.error_code, message.error_reason, message.due_at) == ("sent", "", "", None)
    with schema_context(organization.schema_name):
        assert list(SendAttempt.objects.values_list("message_id", "number", "outcome", "code", "reason")) == [
            (message.pk, 1, "resolved", "echo", "The provider reports that it is sent.")
        ]


def test_a_one_time_password_is_masked_once_it_is_out(live: Any, feed: Make, make_message: Make, reread: Make) -> None:
    organization, channel, *_ = live
    message = make_message(organization, channel, is_sensitive=True)
    feed(body(change(channel.external_id, statuses=[status("wamid.E", "sent", uuid=str(message.uuid))])))
    assert reread(organization, message).content == {"type": "text", "text": {"body": "••••••"}}


def test_a_failure_is_stored_in_plain_language_and_an_opt_out_is_kept(
    live: Any, feed: Make, make_message: Make, reread: Make, counters: Make
) -> None:
    from contacts.models import Suppression

    organization, channel, *_ = live
    message = make_message(organization, channel, address="22997000055")
    feed(body(change(channel.external_id, statuses=[status("wamid.F", "failed", uuid=str(message.uuid), code=131050)])))
    reread(organization, message)
    assert (message.status, message.error_code) == ("failed", "131050")
    assert message.error_reason == "The customer has stopped marketing messages from this business."
    with schema_context(organization.schema_name):
        assert list(Suppression.objects.values_list("address", "reason", "scope")) == [
            ("22997000055", "opt_out", "marketing")
        ]
    assert counters(organization) == {"sent": 1, "failed": 1, "quality": 1}


def test_a_payment_problem_pauses_the_channel(live: Any, feed: Make, make_message: Make, reread: Make) -> None:
    organization, channel, *_ = live
    message = make_message(organization, channel)
    feed(body(change(channel.external_id, statuses=[status("wamid.G", "failed", uuid=str(message.uuid), code=131042)])))
    reread(organization, channel)
    assert channel.status == "paused"
    assert channel.status_reason == "There is a problem with the payment method of the account at Meta."


def test_an_old_failure_delivered_again_does_not_pause_a_mended_channel(
    live: Any, feed: Make, make_message: Make, reread: Make
) -> None:
    from messaging.services.channels import channel_resume

    organization, channel, *_ = live
    message = make_message(organization, channel)
    raw = body(change(channel.external_id, statuses=[status("wamid.H", "failed", uuid=str(message.uuid), code=131042)]))
    feed(raw)
    with schema_context(organization.schema_name):
        channel_resume(channel_id=channel.pk)
    feed(raw)
    assert reread(organization, channel).status == "connected"


def test_statuses_of_messages_that_are_not_ours_are_kept_aside_and_the_others_applied(
    live: Any, feed: Make, make_message: Make, reread: Make
) -> None:
    organization, channel, *_ = live
    message = make_message(organization, channel)
    told = [status("wamid.foreign", "sent"), status("wamid.I", "sent", uuid=str(message.uuid))]
    event = feed(body(change(channel.external_id, statuses=told)))
    assert reread(organization, message).status == "sent"
    assert event.status == "partial"
    assert event.problems == [
        {
            "where": "entry[0].changes[0]",
            "code": "unknown_message",
            "reason": "1 of 2 statuses belong to no message sent from here.",
        }
    ]


def test_another_channels_message_is_not_touched_by_its_uuid(
    live: Any, feed: Make, make_message: Make, make_channel: Make, reread: Make
) -> None:
    organization, channel, *_ = live
    second = make_channel(organization)
    message = make_message(organization, channel)
    feed(body(change(second.external_id, statuses=[status("wamid.J", "read", uuid=str(message.uuid))])))
    assert reread(organization, message).status == "processing"


def test_a_status_that_the_database_refuses_does_not_hold_up_the_others(
    live: Any, feed: Make, make_message: Make, reread: Make, counters: Make
) -> None:
    organization, channel, *_ = live
    good, other = make_message(organization, channel), make_message(organization, channel)
    told = [
        status("wamid.\x00", "sent", uuid=str(other.uuid)),
        status("wamid.K", "sent", uuid=str(good.uuid)),
    ]
    event = feed(body(change(channel.external_id, statuses=told)))
    assert reread(organization, good).status == "sent"
    assert reread(organization, other).status == "processing"
    assert [problem["code"] for problem in event.problems] == ["error"]
    assert counters(organization) == {"sent": 1}


def test_an_id_that_no_text_can_hold_belongs_to_no_message(
    live: Any, feed: Make, make_message: Make, reread: Make
) -> None:
    organization, channel, *_ = live
    good = make_message(organization, channel)
    told = [status("wamid.\x00", "sent"), status("wamid.K", "sent", uuid=str(good.uuid))]
    event = feed(body(change(channel.external_id, statuses=told)))
    assert reread(organization, good).status == "sent"
    assert [problem["code"] for problem in event.problems] == ["unknown_message"]


@pytest.mark.parametrize("first", ["webhook", "engine"])
def test_the_webhook_and_the_engines_settle_agree_in_either_order(
    live: Any, feed: Make, make_message: Make, reread: Make, counters: Make, first: str
) -> None:
    from messaging.dispatch.sql import statements

    organization, channel, *_ = live
    message = make_message(organization, channel, fence=3, claimed_at=_ago(1), queued_at=_ago(5))

    def settle() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                statements(organization.schema_name).settle.decode(),
                {
                    "results": json.dumps(
                        [
                            {
                                "id": message.pk,
                                "fence": 3,
                                "status": "sent",
                                "provider_id": "wamid.L",
                                "code": "",
                                "reason": "",
                                "delay": None,
                                "left_at": _ago(-1).timestamp(),
                            }
                        ]
                    ),
                },
            )

    def report() -> None:
        feed(body(change(channel.external_id, statuses=[status("wamid.L", "delivered", uuid=str(message.uuid))])))

    for step in (report, settle) if first == "webhook" else (settle, report):
        step()
    reread(organization, message)
    assert (message.status, message.provider_id, message.sent_at) == ("delivered", "wamid.L", _ago(0))
    assert counters(organization) == {"sent": 1, "delivered": 1}


def test_the_counters_of_a_campaigns_run_follow_its_messages_and_nobody_elses(
    live: Any, feed: Make, make_message: Make
) -> None:
    from messaging.models import RunCount

    organization, channel, *_ = live
    ours = {"campaign_run_id": 7, "campaign_variant_id": 3, "origin": "campaign"}
    first = make_message(organization, channel, **ours)
    second = make_message(organization, channel, **ours, address="22997000002")
    third = make_message(organization, channel)
    for name, message in (("wamid.R1", first), ("wamid.R2", second), ("wamid.R3", third)):
        feed(body(change(channel.external_id, statuses=[status(name, "delivered", uuid=str(message.uuid))])))
    feed(body(change(channel.external_id, statuses=[status("wamid.R1", "read", uuid=str(first.uuid))])))
    with schema_context(organization.schema_name):
        rows = RunCount.objects.values_list("run_id", "variant_id", "metric", "count")
        totals: dict[tuple[int, int, str], int] = {}
        for run, variant, metric, count in rows:
            totals[run, variant, metric] = totals.get((run, variant, metric), 0) + count
    assert totals == {(7, 3, "sent"): 2, (7, 3, "delivered"): 2, (7, 3, "done"): 2, (7, 3, "read"): 1}
