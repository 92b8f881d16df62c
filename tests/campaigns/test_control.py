"""Pausing, resuming, cancelling, trying again, completing: nobody twice, nobody lost, counters equal to rows."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import Campaign, Run
from campaigns.services.campaigns import (
    VariantInput,
    audience_set,
    campaign_delete,
    campaign_duplicate,
    campaign_update,
    variants_set,
)
from campaigns.services.control import (
    campaign_cancel,
    campaign_launch,
    campaign_pause,
    campaign_resume,
    campaign_retry_failed,
    campaign_test_send,
    campaigns_hold,
)
from campaigns.services.runs import run_work
from campaigns.services.schedules import schedule_set
from contacts.models import Contact
from messaging.models import ChannelCount, Message, RunCount
from tenants.errors import Conflict, InvalidInput, NotFound
from tenants.models import AgendaItem
from tests.campaigns.conftest import TEXT, totals


def statuses() -> dict[str, int]:
    return dict(Counter(Message.objects.values_list("status", flat=True)))


def settle(run: Run, *, sent: int = 0, failed: int = 0) -> None:
    """What the engine does with queued messages, in its own counters."""
    minute = timezone.now().replace(second=0, microsecond=0)
    for status, count in (("sent", sent), ("failed", failed)):
        ids = list(Message.objects.filter(status="queued").order_by("id").values_list("pk", flat=True)[:count])
        stamp = {"sent_at" if status == "sent" else "failed_at": timezone.now()}
        Message.objects.filter(pk__in=ids).update(status=status, **stamp)
        for metric in (status, "done"):
            RunCount.objects.create(run_id=run.pk, minute=minute, metric=metric, count=len(ids))


def start(campaign: Campaign, work) -> Run:
    run = campaign_launch(campaign_id=campaign.pk)
    work()
    run.refresh_from_db()
    return run


def look(run: Run) -> None:
    """Look at the run again although its time has not come."""
    while (following := run_work(connection.schema_name, str(run.pk))) is not None:
        if following > datetime.now(UTC):
            break
    run.refresh_from_db()


def test_a_run_is_complete_only_when_every_message_is_in_a_final_state(make_contacts, make_campaign, work):
    make_contacts(10)
    campaign = make_campaign()
    run = start(campaign, work)
    settle(run, sent=8, failed=1)
    look(run)
    assert run.status == "sending"
    settle(run, sent=1)
    look(run)
    campaign.refresh_from_db()
    assert (run.status, campaign.status) == ("completed", "completed")
    assert campaign.finished_at is not None
    assert totals(run) == {"accepted": 10, "sent": 9, "failed": 1, "done": 10}


def test_counters_that_run_ahead_of_the_rows_do_not_complete_a_run(make_contacts, make_campaign, work):
    make_contacts(3)
    run = start(make_campaign(), work)
    RunCount.objects.create(run_id=run.pk, minute=timezone.now(), metric="done", count=3)
    look(run)
    assert run.status == "sending"


def test_counters_that_stood_still_are_checked_against_the_rows(make_contacts, make_campaign, work):
    make_contacts(3)
    run = start(make_campaign(), work)
    Message.objects.update(status="sent")
    RunCount.objects.update(minute=timezone.now() - timedelta(minutes=5))
    look(run)
    assert run.status == "completed"


def test_a_campaign_of_which_every_message_failed_has_failed(make_contacts, make_campaign, work):
    make_contacts(2)
    campaign = make_campaign()
    run = start(campaign, work)
    settle(run, failed=2)
    look(run)
    campaign.refresh_from_db()
    assert (run.status, campaign.status, campaign.status_reason) == ("failed", "failed", "Every message failed.")


def test_pausing_takes_what_waits_out_of_the_queue_and_resuming_sends_only_that(make_contacts, make_campaign, work):
    make_contacts(20)
    campaign = make_campaign()
    run = start(campaign, work)
    settle(run, sent=5)
    campaign_pause(campaign_id=campaign.pk, reason="Wrong price")
    campaign.refresh_from_db()
    run.refresh_from_db()
    assert (campaign.status, campaign.status_reason, run.status) == ("paused", "Wrong price", "paused")
    assert statuses() == {"sent": 5, "scheduled": 15}
    assert not Message.objects.filter(due_at__isnull=False).exists()
    work()
    campaign_resume(campaign_id=campaign.pk)
    work()
    campaign.refresh_from_db()
    assert campaign.status == "running"
    assert statuses() == {"sent": 5, "queued": 15}
    settle(run, sent=15)
    look(run)
    assert totals(run) == {"accepted": 20, "sent": 20, "done": 20}
    assert run.status == "completed"


def test_pausing_while_recipients_are_being_queued_stops_there_and_goes_on_there(
    make_contacts, make_campaign, work, monkeypatch
):
    from campaigns.services import runs

    make_contacts(100)
    campaign = make_campaign()
    monkeypatch.setattr(runs, "FIRST_PIECE", 30)
    monkeypatch.setattr(runs, "PIECE", 30)
    pieces = []
    original = runs.piece_queue

    def queue(**options):
        if len(pieces) == 1:
            campaign_pause(campaign_id=campaign.pk)
        pieces.append(original(**options))
        return pieces[-1]

    monkeypatch.setattr(runs, "piece_queue", queue)
    run = start(campaign, work)
    assert run.status == "paused"
    assert statuses() == {"scheduled": 30}
    campaign_resume(campaign_id=campaign.pk)
    work()
    assert statuses() == {"queued": 100}
    assert totals(run) == {"accepted": 100}


def test_what_comes_back_into_the_queue_of_a_paused_run_is_taken_out_again(make_contacts, make_campaign, work):
    make_contacts(3)
    campaign = make_campaign()
    run = start(campaign, work)
    Message.objects.filter(address="22961000000").update(status="processing")
    campaign_pause(campaign_id=campaign.pk)
    work()
    Message.objects.filter(address="22961000000").update(status="queued")
    look(run)
    assert statuses() == {"scheduled": 3}


def test_cancelling_cancels_what_waits_and_counts_it(make_contacts, make_campaign, work):
    make_contacts(10)
    campaign = make_campaign()
    run = start(campaign, work)
    settle(run, sent=4)
    campaign_cancel(campaign_id=campaign.pk)
    work()
    campaign.refresh_from_db()
    run.refresh_from_db()
    assert (campaign.status, run.status) == ("cancelled", "cancelled")
    assert statuses() == {"sent": 4, "cancelled": 6}
    assert totals(run) == {"accepted": 10, "sent": 4, "cancelled": 6, "done": 10}
    assert sum(ChannelCount.objects.filter(metric="cancelled").values_list("count", flat=True)) == 6
    assert not AgendaItem.objects.filter(kind="campaign_run").exists()
    with pytest.raises(Conflict):
        campaign_resume(campaign_id=campaign.pk)


def test_a_paused_campaign_can_be_cancelled(make_contacts, make_campaign, work):
    make_contacts(4)
    campaign = make_campaign()
    start(campaign, work)
    campaign_pause(campaign_id=campaign.pk)
    work()
    campaign_cancel(campaign_id=campaign.pk)
    work()
    assert statuses() == {"cancelled": 4}


def test_only_failed_messages_are_tried_again(make_contacts, make_campaign, work):
    make_contacts(6)
    campaign = make_campaign()
    run = start(campaign, work)
    settle(run, sent=4, failed=2)
    look(run)
    assert run.status == "completed"
    campaign_retry_failed(campaign_id=campaign.pk)
    work()
    run.refresh_from_db()
    campaign.refresh_from_db()
    assert (run.status, campaign.status) == ("sending", "running")
    assert statuses() == {"sent": 4, "queued": 2}
    settle(run, sent=2)
    look(run)
    assert totals(run) == {"accepted": 6, "sent": 6, "done": 6}
    with pytest.raises(Conflict) as refusal:
        campaign_retry_failed(campaign_id=campaign.pk)
    assert refusal.value.code == "nothing_failed"


def test_a_message_that_fails_again_is_not_tried_in_the_same_round(make_contacts, make_campaign, work):
    make_contacts(2)
    campaign = make_campaign()
    run = start(campaign, work)
    settle(run, failed=2)
    look(run)
    campaign_retry_failed(campaign_id=campaign.pk)
    Message.objects.filter(address="22961000001").update(failed_at=timezone.now() + timedelta(seconds=5))
    work()
    assert statuses() == {"queued": 1, "failed": 1}


def test_a_template_that_stops_holds_its_campaigns_and_they_are_checked_when_resumed(
    make_contacts, make_campaign, work, channel, monkeypatch
):
    template = {"type": "template", "template": {"name": "promo", "language": {"code": "fr"}, "components": []}}
    other = {"type": "template", "template": {"name": "promo", "language": {"code": "en"}, "components": []}}
    make_contacts(3)
    held, free, draft = make_campaign(content=template), make_campaign(content=other), make_campaign(content=template)
    by_variant = make_campaign()
    variants_set(campaign_id=by_variant.pk, variants=[VariantInput("A", template, 50), VariantInput("B", other, 50)])
    for campaign in (held, free, by_variant):
        start(campaign, work)
    ids = campaigns_hold(
        channel_id=channel.pk, template_name="promo", language="fr", reason="Template promo is paused."
    )
    assert sorted(ids) == [held.pk, by_variant.pk]
    found = {c.pk: (c.status, c.status_reason) for c in Campaign.objects.all()}
    assert found[held.pk] == ("paused", "Template promo is paused.")
    assert found[free.pk][0] == "running"
    assert found[draft.pk][0] == "draft"

    def refuse(**_):
        raise InvalidInput("template_not_approved", "The template is paused.", {"template.name": "is paused"})

    monkeypatch.setattr("campaigns.services.content.template_guard", refuse)
    with pytest.raises(InvalidInput):
        campaign_resume(campaign_id=held.pk)
    held.refresh_from_db()
    assert held.status == "paused"


def test_a_winner_is_chosen_by_its_rate_and_the_rest_gets_it(make_contacts, make_campaign, work):
    make_contacts(100)
    campaign = make_campaign(sample_percent=20, winner_metric="read", winner_wait_minutes=30)
    a, b = variants_set(
        campaign_id=campaign.pk,
        variants=[VariantInput("A", TEXT, 50), VariantInput("B", {"type": "text", "text": {"body": "B {prenom}"}}, 50)],
    )
    run = start(campaign, work)
    assert (run.phase, Message.objects.count()) == ("waiting", 20)
    per_variant = Counter(Message.objects.values_list("campaign_variant_id", flat=True))
    assert per_variant == {a.pk: 10, b.pk: 10}
    minute = timezone.now()
    for variant, read in ((a, 3), (b, 5)):
        RunCount.objects.create(run_id=run.pk, variant_id=variant.pk, minute=minute, metric="sent", count=10)
        RunCount.objects.create(run_id=run.pk, variant_id=variant.pk, minute=minute, metric="read", count=read)
    sampled = set(Message.objects.values_list("address", flat=True))
    look(run)
    assert run.phase == "waiting"
    Run.objects.update(decide_at=timezone.now() - timedelta(seconds=1))
    run.refresh_from_db()
    look(run)
    assert (run.phase, run.status, run.winner_id) == ("queued", "sending", b.pk)
    assert Message.objects.count() == 100
    rest = Message.objects.exclude(address__in=sampled)
    assert set(rest.values_list("campaign_variant_id", flat=True)) == {b.pk}


def test_a_campaign_under_way_cannot_be_changed_but_a_finished_one_can(make_contacts, make_campaign, work, in_schema):
    make_contacts(1)
    campaign = make_campaign()
    run = start(campaign, work)
    for change in (
        lambda: campaign_update(campaign_id=campaign.pk, name="Other"),
        lambda: variants_set(campaign_id=campaign.pk, variants=[]),
        lambda: audience_set(organization=in_schema, campaign_id=campaign.pk, kind="all"),
        lambda: campaign_delete(campaign_id=campaign.pk),
    ):
        with pytest.raises(Conflict):
            change()
    settle(run, sent=1)
    look(run)
    assert campaign_update(campaign_id=campaign.pk, name="Other").name == "Other"


def test_a_copy_has_everything_but_the_past(make_contacts, make_campaign, in_schema):
    campaign = make_campaign(quiet_from=time(21), quiet_until=time(8), in_recipient_zone=True)
    variants_set(campaign_id=campaign.pk, variants=[VariantInput("A", TEXT, 40), VariantInput("B", TEXT, 60)])
    audience_set(organization=in_schema, campaign_id=campaign.pk, kind="list", phones=["22961000001", "22961000002"])
    schedule_set(campaign_id=campaign.pk, frequency="daily", time=time(9), start_date=timezone.now().date())
    copy = campaign_duplicate(campaign_id=campaign.pk, name="Second")
    assert (copy.status, copy.name, copy.quiet_from, copy.in_recipient_zone) == ("draft", "Second", time(21), True)
    assert [variant.percentage for variant in copy.variants.all()] == [40, 60]
    assert copy.entries.count() == 2
    assert (copy.schedule.is_active, copy.schedule.next_at) == (False, None)
    campaign.refresh_from_db()
    assert campaign.schedule.is_active


def test_a_test_message_is_filled_for_its_reader_and_counts_in_no_run(make_contacts, make_campaign, in_schema, channel):
    make_contacts(1)
    campaign = make_campaign()
    campaign_test_send(organization=in_schema, campaign_id=campaign.pk, to="+22961000000")
    message = Message.objects.get()
    assert (message.content["text"]["body"], message.campaign_run_id) == ("Bonjour Ada0!", None)
    with pytest.raises(InvalidInput) as refusal:
        campaign_test_send(organization=in_schema, campaign_id=campaign.pk, to="abc")
    assert "to" in refusal.value.fields
    with pytest.raises(NotFound):
        campaign_test_send(organization=in_schema, campaign_id=campaign.pk, to="+22961000000", variant_id=999)


def test_a_suspended_organisation_sends_nothing(make_contacts, make_campaign, work, in_schema):
    make_contacts(3)
    campaign = make_campaign()
    run = campaign_launch(campaign_id=campaign.pk)
    type(in_schema).objects.filter(pk=in_schema.pk).update(status="suspended")
    work()
    assert Message.objects.count() == 0
    assert AgendaItem.objects.get(kind="campaign_run", key=str(run.pk)).due_at > datetime.now(UTC)


def test_a_run_waits_for_its_channel_and_says_so(make_contacts, make_campaign, work, channel):
    make_contacts(3)
    campaign = make_campaign()
    run = campaign_launch(campaign_id=campaign.pk)
    type(channel).objects.update(status="paused", status_reason="Token refused")
    work()
    run.refresh_from_db()
    assert (run.status, run.status_reason) == ("preparing", "Waits: the channel is paused. Token refused")
    type(channel).objects.update(status="connected", status_reason="")
    look(run)
    assert (run.phase, run.status_reason, Message.objects.count()) == ("queued", "", 3)


def test_a_run_whose_channel_stays_away_beyond_the_grace_is_missed(make_contacts, make_campaign, work, channel):
    make_contacts(3)
    campaign = make_campaign()
    run = campaign_launch(campaign_id=campaign.pk)
    type(channel).objects.update(status="paused", status_reason="Token refused")
    Run.objects.update(occurrence_at=timezone.now() - timedelta(minutes=61))
    work()
    run.refresh_from_db()
    assert run.status == "missed"
    assert Message.objects.count() == 0


def test_in_quiet_hours_messages_wait_for_their_end(make_contacts, make_campaign, work):
    make_contacts(3)
    now = timezone.now()
    campaign = make_campaign(
        quiet_from=(now - timedelta(hours=1)).time().replace(microsecond=0),
        quiet_until=(now + timedelta(hours=2)).time().replace(second=0, microsecond=0),
    )
    start(campaign, work)
    assert statuses() == {"scheduled": 3}
    due = set(Message.objects.values_list("due_at", flat=True))
    assert due == {(now + timedelta(hours=2)).replace(second=0, microsecond=0)}
    assert AgendaItem.objects.get(kind="channel").due_at is not None


def test_when_quiet_hours_begin_what_waits_leaves_the_queue_until_their_end(make_contacts, make_campaign, work):
    make_contacts(3)
    campaign = make_campaign()
    run = start(campaign, work)
    settle(run, sent=1)
    now = timezone.now()
    Campaign.objects.update(
        quiet_from=(now - timedelta(minutes=1)).time().replace(second=0, microsecond=0),
        quiet_until=(now + timedelta(hours=2)).time().replace(second=0, microsecond=0),
    )
    Run.objects.update(quiet_until=now - timedelta(minutes=5))
    run = Run.objects.get()
    look(run)
    assert statuses() == {"sent": 1, "scheduled": 2}
    ends = set(Message.objects.filter(status="scheduled").values_list("due_at", flat=True))
    assert ends == {(now + timedelta(hours=2)).replace(second=0, microsecond=0)}
    Message.objects.filter(status="scheduled").update(status="queued", due_at=None)
    look(run)
    assert statuses() == {"sent": 1, "queued": 2}


def test_each_recipient_has_their_own_clock(make_campaign, work, in_schema):
    tomorrow = (timezone.now() + timedelta(days=2)).date()
    Contact.objects.create(phone="22961000000", name="Cotonou")
    Contact.objects.create(phone="12125550100", name="New York")
    Contact.objects.create(phone="818012345678", name="Tokyo")
    Contact.objects.create(phone="33612345678", name="Lives in Lagos", timezone="Africa/Lagos")
    Contact.objects.create(phone="447911123456", name="Odd", timezone="Nowhere/City")
    campaign = make_campaign(zone="Africa/Porto-Novo", in_recipient_zone=True)
    schedule = schedule_set(campaign_id=campaign.pk, frequency="once", time=time(9), start_date=tomorrow)
    item = AgendaItem.objects.get(kind="campaign_schedule")
    assert item.due_at == datetime.combine(tomorrow, time(9), tzinfo=ZoneInfo("Pacific/Kiritimati"))
    from campaigns.services.progress import run_start

    Campaign.objects.update(status="running")
    run_start(campaign=campaign, occurrence_at=schedule.next_at)
    work()
    due = {message.contact.name: message.due_at for message in Message.objects.all()}
    for name, zone in (
        ("Cotonou", "Africa/Porto-Novo"),
        ("New York", "America/New_York"),
        ("Tokyo", "Asia/Tokyo"),
        ("Lives in Lagos", "Africa/Lagos"),
        ("Odd", "Europe/London"),
    ):
        assert due[name] == datetime.combine(tomorrow, time(9), tzinfo=ZoneInfo(zone)), name
