"""Retention: what is old goes, in bounded steps, once, and nothing else."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context

from contacts.models import Contact
from messaging.models import ChannelCount, IdempotencyRecord, Message, SendAttempt
from otp.models import OneTimePassword
from tenants.models import InboundEvent, RetentionState
from tenants.services.retention_rules import RowsRule, retention_rule
from tests.tenants.aging import aged, run, texts


def test_texts_go_first_and_whole_messages_later_with_their_attempts(in_schema, make_message):
    ancient, old, young = make_message(800), make_message(400), make_message(300)
    for message in (ancient, old, young):
        SendAttempt.objects.create(message=message, number=1, outcome="failed", reason="x")

    assert run().removed == 3  # one message, two texts

    assert list(Message.objects.order_by("id").values_list("pk", flat=True)) == [old.pk, young.pk]
    assert texts() == [False, True]
    old.refresh_from_db()
    assert (old.content, old.status, old.address) == ({"type": "text", "removed": True}, "sent", "22997120001")
    assert set(SendAttempt.objects.values_list("message_id", flat=True)) == {old.pk, young.pk}


@pytest.mark.parametrize("status", ["queued", "scheduled", "processing", "in_doubt"])
def test_what_may_still_leave_is_never_touched_and_goes_once_it_is_final(in_schema, make_message, status):
    open_, beside = make_message(1000, status=status), make_message(999)

    run()
    assert (list(Message.objects.values_list("pk", flat=True)), texts()) == ([open_.pk], [True])

    Message.objects.update(status="failed")
    RetentionState.objects.update(started_at=timezone.now() - timedelta(days=1))
    run()
    assert not Message.objects.exists()
    assert beside


def test_a_text_that_was_skipped_is_removed_by_a_later_run(in_schema, make_message):
    waiting, _, _ = make_message(500, status="queued"), make_message(499), make_message(498)
    run()
    assert texts() == [True, False, False]

    Message.objects.filter(pk=waiting.pk).update(status="cancelled")
    assert run().removed == 1
    assert texts() == [False, False, False]
    assert run().removed == 0


def test_a_message_that_was_queued_again_counts_from_then(in_schema, make_message):
    make_message(1000, queued_at=timezone.now() - timedelta(days=2))

    assert run().removed == 0
    assert texts() == [True]


def test_steps_are_bounded_and_go_through_equal_times_without_missing_a_row(in_schema):
    at = timezone.now() - timedelta(days=9)
    IdempotencyRecord.objects.bulk_create(
        IdempotencyRecord(api_key_id=1, key=str(n), request_hash="x", response_status=200, response_body={},
                          created_at=at)
        for n in range(23)
    )  # fmt: skip
    rule, before, position, steps = retention_rule("idempotency"), timezone.now() - timedelta(days=1), {}, []
    while not steps or not steps[-1].finished:
        steps.append(rule.step(before=before, position=position, limit=5))
        position = steps[-1].position

    assert max(step.removed for step in steps) == 5
    assert (sum(step.removed for step in steps), IdempotencyRecord.objects.count()) == (23, 0)


def test_a_slice_stops_when_its_time_is_over_and_the_next_one_goes_on(in_schema, make_message, monkeypatch):
    for days in range(401, 414):
        make_message(days)
    whole_step = RowsRule.step
    monkeypatch.setattr(RowsRule, "step", lambda self, **given: whole_step(self, **(given | {"limit": 4})))

    first = run(seconds=0)
    state = RetentionState.objects.get(kind="message_bodies")
    assert (first.removed, first.finished, state.removed, state.finished_at) == (4, False, 4, None)
    assert first.next_at - timezone.now() < timedelta(seconds=6)

    slices = [first]
    while not slices[-1].finished:
        slices.append(run(seconds=0))
    assert texts() == [False] * 13
    state.refresh_from_db()
    assert (state.removed, state.removed_total, state.finished_at is not None) == (13, 13, True)
    assert len(slices) > 3


def test_two_runs_at_once_remove_everything_once(committed, make_channel):
    organization, _ = committed
    channel = make_channel(organization)
    at = timezone.now() - timedelta(days=900)
    with tenant_context(organization):
        Message.objects.bulk_create(
            Message(uuid=aged(at + timedelta(seconds=n)), queued_at=at, channel=channel, direction="out",
                    status="sent", address="1", type="text", origin="api", content={})
            for n in range(3000)
        )  # fmt: skip
    removed: list[int] = []
    barrier = threading.Barrier(2)

    def work() -> None:
        with schema_context(organization.schema_name):
            barrier.wait()
            for _ in range(20):
                step = retention_rule("messages").step(
                    before=timezone.now() - timedelta(days=30), position={}, limit=200
                )
                removed.append(step.removed)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with tenant_context(organization):
        assert sum(removed) == 3000 - Message.objects.count()
        run(organization.schema_name)
        assert not Message.objects.exists()


def test_a_row_that_somebody_holds_is_left_and_taken_by_the_next_run(committed, make_channel):
    organization, _ = committed
    channel = make_channel(organization)
    with tenant_context(organization):
        at = timezone.now() - timedelta(days=900)
        held, free = (
            Message.objects.create(uuid=aged(at), queued_at=at, channel=channel, direction="out", status="sent",
                                   address="1", type="text", origin="api", content={})
            for _ in range(2)
        )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM messaging_message WHERE id = %s FOR UPDATE", [held.pk])

            def other() -> None:
                with schema_context(organization.schema_name):
                    run()
                connections.close_all()

            thread = threading.Thread(target=other)
            thread.start()
            thread.join(20)
            assert not thread.is_alive()
            cursor.execute("ROLLBACK")
        assert list(Message.objects.values_list("pk", flat=True)) == [held.pk]
        run()
        assert not Message.objects.exists()
        assert free


def test_only_the_organisation_whose_turn_it_is_loses_data(organization, other_organization, make_channel):
    for owner in (organization, other_organization):
        channel = make_channel(owner)
        with tenant_context(owner):
            at = timezone.now() - timedelta(days=900)
            Message.objects.create(uuid=aged(at), queued_at=at, channel=channel, direction="out", status="sent",
                                   address="1", type="text", origin="api", content={})  # fmt: skip
    with tenant_context(organization):
        run()
        assert Message.objects.count() == 0
    with tenant_context(other_organization):
        assert Message.objects.count() == 1
        with pytest.raises(RuntimeError, match="current schema"):
            run(organization.schema_name)


def test_contacts_stay_when_their_messages_go(in_schema, make_message):
    contact = Contact.objects.create(phone="22997120001")
    make_message(900, contact=contact)
    run()
    assert (Message.objects.count(), Contact.objects.count()) == (0, 1)


def test_codes_and_remembered_answers_go_after_their_periods(in_schema, channel):
    now = timezone.now()
    for days in (29, 31):
        OneTimePassword.objects.create(phone="1", prefix="1", code_hash="x", channel_id=channel.pk, max_attempts=5,
                                       created_at=now - timedelta(days=days), expires_at=now)  # fmt: skip
    for hours in (23, 25):
        IdempotencyRecord.objects.create(api_key_id=1, key=str(hours), request_hash="x", response_status=200,
                                         response_body={}, created_at=now - timedelta(hours=hours))  # fmt: skip
    run()
    assert OneTimePassword.objects.count() == 1
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["23"]


def test_old_hours_become_days_and_no_sum_changes(in_schema, make_channel):
    one, other = make_channel(in_schema), make_channel(in_schema)
    day = (timezone.now() - timedelta(days=120)).replace(hour=0, minute=0, second=0, microsecond=0)
    for channel in (one, other):
        for hour in range(48):
            ChannelCount.objects.create(channel=channel, hour=day + timedelta(hours=hour), metric="sent", count=hour)
    recent = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=5)
    ChannelCount.objects.create(channel=one, hour=recent, metric="sent", count=7)

    assert run().removed == 2 * 46
    from messaging.services.counters import counts_squash_schema

    counts_squash_schema(connection.schema_name)
    rows = ChannelCount.objects.filter(channel=one).order_by("hour").values_list("hour", "count")
    assert list(rows) == [(day, sum(range(24))), (day + timedelta(days=1), sum(range(24, 48))), (recent, 7)]
    assert run().removed == 0


def test_counters_are_added_up_in_bounded_steps(in_schema, channel):
    day = (timezone.now() - timedelta(days=120)).replace(hour=0, minute=0, second=0, microsecond=0)
    for hour in range(1, 24):
        ChannelCount.objects.create(channel=channel, hour=day + timedelta(hours=hour), metric="sent", count=1)
    rule, before = retention_rule("counters"), timezone.now() - timedelta(days=90)
    first = rule.step(before=before, position={}, limit=10)
    second = rule.step(before=before, position=first.position, limit=10)
    third = rule.step(before=before, position=second.position, limit=10)
    assert [(step.removed, step.finished) for step in (first, second, third)] == [(10, False), (10, False), (3, True)]
    assert set(ChannelCount.objects.values_list("hour", flat=True)) == {day}
    assert sum(ChannelCount.objects.values_list("count", flat=True)) == 23


def test_the_platform_s_bodies_go_before_the_events_and_open_ones_stay(db):
    now = timezone.now()
    for days, status in ((40, "done"), (10, "done"), (10, "failed"), (1, "done")):
        event = InboundEvent.objects.create(body=b"{}", status=status)
        InboundEvent.objects.filter(pk=event.pk).update(received_at=now - timedelta(days=days))

    run("public")

    rows = InboundEvent.objects.order_by("received_at", "id").values_list("status", "body")
    assert [(status, bytes(body)) for status, body in rows] == [("done", b""), ("failed", b"{}"), ("done", b"{}")]


def test_ended_sessions_are_removed_and_others_stay(db):
    from django.contrib.sessions.models import Session

    now = timezone.now()
    for key, days in (("old", 2), ("just", 0.5), ("open", -1)):
        Session.objects.create(session_key=key, session_data="", expire_date=now - timedelta(days=days))
    run("public")
    assert set(Session.objects.values_list("session_key", flat=True)) == {"just", "open"}
