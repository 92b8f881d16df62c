"""Schedules on a frozen clock: one run per occurrence, missed ones shown, daylight saving."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection

from campaigns.models import Campaign, Run, Schedule
from campaigns.services.campaigns import campaign_update
from campaigns.services.control import campaign_cancel, campaign_pause, campaign_resume
from campaigns.services.schedules import schedule_fire, schedule_preview, schedule_set, schedule_toggle
from messaging.models import Message
from tenants.errors import Conflict, InvalidInput
from tenants.models import AgendaItem
from tests.campaigns.conftest import totals

PARIS = ZoneInfo("Europe/Paris")


def fire(campaign: Campaign) -> datetime | None:
    return schedule_fire(connection.schema_name, str(campaign.pk))


def runs() -> list[tuple[str, str]]:
    return [
        (run.occurrence_at.astimezone(UTC).isoformat(), run.status) for run in Run.objects.order_by("occurrence_at")
    ]


@pytest.fixture
def clock():
    with time_machine.travel(datetime(2028, 3, 1, 12, tzinfo=UTC), tick=False) as traveller:
        yield traveller


def test_a_schedule_shows_its_next_occurrence_and_goes_on_the_agenda(clock, make_campaign):
    campaign = make_campaign(zone="Europe/Paris")
    schedule = schedule_set(
        campaign_id=campaign.pk, frequency="weekly", weekdays=[1], time=time(9), start_date=date(2028, 3, 1)
    )
    campaign.refresh_from_db()
    monday = datetime(2028, 3, 6, 9, tzinfo=PARIS)
    assert (campaign.status, schedule.next_at) == ("scheduled", monday)
    assert AgendaItem.objects.get(kind="campaign_schedule").due_at == monday
    preview = schedule_preview(schedule=schedule, zone="Europe/Paris")
    assert len(preview) == 10
    assert [instant.astimezone(PARIS).hour for instant in preview] == [9] * 10
    campaign_update(campaign_id=campaign.pk, zone="America/New_York")
    assert Schedule.objects.get().next_at == datetime(2028, 3, 6, 9, tzinfo=ZoneInfo("America/New_York"))


def test_each_occurrence_runs_once_however_often_it_is_fired(clock, make_contacts, make_campaign, work):
    make_contacts(3)
    campaign = make_campaign()
    schedule_set(campaign_id=campaign.pk, frequency="daily", time=time(9), start_date=date(2028, 3, 2))
    clock.move_to(datetime(2028, 3, 2, 9, 0, 1, tzinfo=UTC))
    following = fire(campaign)
    assert following == datetime(2028, 3, 3, 9, tzinfo=UTC)
    assert fire(campaign) == following
    Schedule.objects.update(next_at=datetime(2028, 3, 2, 9, tzinfo=UTC))
    assert fire(campaign) == following
    assert runs() == [("2028-03-02T09:00:00+00:00", "preparing")]
    work()
    assert totals(Run.objects.get()) == {"accepted": 3}


def test_daily_through_a_year_of_both_changes_of_the_clock(clock, make_campaign):
    campaign = make_campaign(zone="Europe/Paris", grace_minutes=5)
    schedule_set(
        campaign_id=campaign.pk,
        frequency="daily",
        time=time(2, 30),
        start_date=date(2028, 3, 24),
        end_date=date(2028, 10, 31),
    )
    for _ in range(1000):
        item = AgendaItem.objects.get(kind="campaign_schedule")
        clock.move_to(item.due_at)
        following = fire(campaign)
        if following is None:
            break
        AgendaItem.objects.update(due_at=following)
    days = [run.occurrence_at.astimezone(PARIS) for run in Run.objects.order_by("occurrence_at")]
    assert [moment.date() for moment in days] == [date(2028, 3, 24) + timedelta(days=n) for n in range(222)]
    odd = [moment for moment in days if (moment.hour, moment.minute) != (2, 30)]
    assert [(moment.date(), moment.hour, moment.minute) for moment in odd] == [(date(2028, 3, 26), 3, 0)]
    assert all(moment.fold == 0 for moment in days)


def test_an_occurrence_beyond_its_grace_is_missed_and_shown(clock, make_contacts, make_campaign):
    make_contacts(1)
    campaign = make_campaign(grace_minutes=30)
    schedule_set(campaign_id=campaign.pk, frequency="daily", time=time(9), start_date=date(2028, 3, 2))
    clock.move_to(datetime(2028, 3, 4, 9, 20, tzinfo=UTC))
    assert fire(campaign) == datetime(2028, 3, 5, 9, tzinfo=UTC)
    assert runs() == [
        ("2028-03-02T09:00:00+00:00", "missed"),
        ("2028-03-03T09:00:00+00:00", "missed"),
        ("2028-03-04T09:00:00+00:00", "preparing"),
    ]
    reason = Run.objects.order_by("occurrence_at").first().status_reason
    assert reason == "Missed: it could only have started 2900 minutes late; 30 are allowed."


def test_a_once_campaign_that_was_missed_has_failed_and_says_so(clock, make_contacts, make_campaign):
    make_contacts(1)
    campaign = make_campaign()
    schedule_set(campaign_id=campaign.pk, frequency="once", time=time(9), start_date=date(2028, 3, 2))
    clock.move_to(datetime(2028, 3, 3, tzinfo=UTC))
    assert fire(campaign) is None
    campaign.refresh_from_db()
    assert campaign.status == "failed"
    assert campaign.status_reason.startswith("Missed")
    assert Message.objects.count() == 0


def test_occurrences_of_a_paused_campaign_are_missed_and_it_goes_on_afterwards(clock, make_contacts, make_campaign):
    make_contacts(1)
    campaign = make_campaign()
    schedule_set(campaign_id=campaign.pk, frequency="daily", time=time(9), start_date=date(2028, 3, 2))
    campaign_pause(campaign_id=campaign.pk)
    clock.move_to(datetime(2028, 3, 2, 9, tzinfo=UTC))
    fire(campaign)
    assert runs() == [("2028-03-02T09:00:00+00:00", "missed")]
    campaign_resume(campaign_id=campaign.pk)
    campaign.refresh_from_db()
    assert campaign.status == "scheduled"
    clock.move_to(datetime(2028, 3, 3, 9, tzinfo=UTC))
    fire(campaign)
    assert [status for _, status in runs()] == ["missed", "preparing"]


def test_cancelling_ends_the_schedule(clock, make_contacts, make_campaign):
    make_contacts(1)
    campaign = make_campaign()
    schedule_set(campaign_id=campaign.pk, frequency="daily", time=time(9), start_date=date(2028, 3, 2))
    campaign_cancel(campaign_id=campaign.pk)
    assert not AgendaItem.objects.filter(kind="campaign_schedule").exists()
    clock.move_to(datetime(2028, 3, 2, 9, tzinfo=UTC))
    assert fire(campaign) is None
    assert runs() == []
    with pytest.raises(Conflict):
        schedule_set(campaign_id=campaign.pk, frequency="daily", time=time(9), start_date=date(2028, 3, 2))


def test_a_recurring_campaign_rests_between_runs_and_completes_after_the_last(
    clock, make_contacts, make_campaign, work
):
    make_contacts(1)
    campaign = make_campaign()
    schedule_set(
        campaign_id=campaign.pk, frequency="daily", time=time(9), start_date=date(2028, 3, 2), end_date=date(2028, 3, 3)
    )
    seen = []
    for day in (2, 3):
        clock.move_to(datetime(2028, 3, day, 9, 0, 1, tzinfo=UTC))
        work()
        campaign.refresh_from_db()
        seen.append(campaign.status)
        Message.objects.update(status="sent")
        clock.shift(timedelta(minutes=5))
        work()
        campaign.refresh_from_db()
        seen.append(campaign.status)
    assert seen == ["running", "scheduled", "running", "completed"]
    assert [status for _, status in runs()] == ["completed", "completed"]


def test_switching_a_schedule_off_and_on(clock, make_campaign):
    campaign = make_campaign()
    schedule_set(campaign_id=campaign.pk, frequency="daily", time=time(9), start_date=date(2028, 3, 2))
    schedule_toggle(campaign_id=campaign.pk, is_active=False)
    campaign.refresh_from_db()
    assert (campaign.status, AgendaItem.objects.filter(kind="campaign_schedule").exists()) == ("draft", False)
    assert schedule_toggle(campaign_id=campaign.pk, is_active=True).next_at == datetime(2028, 3, 2, 9, tzinfo=UTC)


def test_schedules_that_cannot_be_are_refused_by_field(clock, make_campaign):
    campaign = make_campaign()
    common = {"campaign_id": campaign.pk, "time": time(9), "start_date": date(2028, 3, 2)}
    for wrong, field in (
        ({"frequency": "hourly"}, "frequency"),
        ({"frequency": "weekly", "weekdays": [7]}, "weekdays"),
        ({"frequency": "monthly", "day_of_month": 32}, "day_of_month"),
        ({"frequency": "once", "start_date": date(2028, 2, 1)}, "start_date"),
        ({"frequency": "daily", "end_date": date(2028, 3, 1)}, "end_date"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            schedule_set(**(common | wrong))
        assert set(refusal.value.fields) == {field}
    assert not Schedule.objects.exists()


# Zones whose clocks change at midnight, by half an hour, in the southern summer, and within Ramadan.
ODD_ZONES = ("America/Santiago", "Australia/Lord_Howe", "Africa/Cairo", "Africa/Casablanca")


def changes(zone: ZoneInfo, first: date) -> list[date]:
    """The days of a year on which the zone's clock changes."""
    noons = [datetime(first.year, first.month, first.day, 12, tzinfo=zone) + timedelta(days=n) for n in range(366)]
    return [
        after.date() for before, after in zip(noons, noons[1:], strict=False) if before.utcoffset() != after.utcoffset()
    ]


@pytest.mark.parametrize("at", [time(0, 0), time(2, 15)])
@pytest.mark.parametrize("zone", ODD_ZONES)
def test_days_on_which_clocks_change_oddly_have_one_run_each(clock, make_campaign, zone, at):
    local = ZoneInfo(zone)
    found = changes(local, date(2028, 3, 5))
    assert len(found) >= 2
    for change in found:
        campaign = make_campaign(zone=zone, grace_minutes=5)
        first, last = change - timedelta(days=2), change + timedelta(days=2)
        schedule_set(campaign_id=campaign.pk, frequency="daily", time=at, start_date=first, end_date=last)
        while item := AgendaItem.objects.filter(kind="campaign_schedule", key=str(campaign.pk)).first():
            clock.move_to(item.due_at)
            # A second scheduler looks at the same moment: the occurrence has its run already.
            following = fire(campaign)
            assert fire(campaign) == following
            AgendaItem.objects.filter(pk=item.pk).update(due_at=following) if following else item.delete()
        days = [run.occurrence_at.astimezone(local) for run in campaign.runs.order_by("occurrence_at")]
        assert [moment.date() for moment in days] == [first + timedelta(days=n) for n in range(5)]
        # Off the clock's time only on the day itself, when that time does not exist: then right behind the gap.
        odd = [moment for moment in days if (moment.hour, moment.minute) != (at.hour, at.minute)]
        assert [moment.date() for moment in odd] in ([], [change])
        for moment in odd:
            before = (moment.astimezone(UTC) - timedelta(seconds=1)).astimezone(local)
            assert moment.utcoffset() > before.utcoffset()
