"""The planner: who, how fast, until when; and that the launch then does just that."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from campaigns.forecast import Batch, Course, forecast
from campaigns.services.control import campaign_launch
from campaigns.services.plan import campaign_plan
from campaigns.timing import QuietHours
from contacts.models import Contact, Suppression
from messaging.models import Channel, Message
from messaging.services import channels
from tests.campaigns.conftest import totals

UTC_ZONE = ZoneInfo("UTC")
NOON = datetime(2026, 3, 4, 12, 7, tzinfo=UTC)


def course(**fields):
    return Course(NOON, **({"rate": 10.0} | fields))


def batch(count, zone=UTC_ZONE, release=NOON):
    return Batch(count, release, zone)


def test_a_constant_rate_is_a_division():
    found = forecast([batch(36_000)], course())
    assert (found.starts_at, found.ends_at) == (NOON, NOON + timedelta(hours=1))


def test_what_is_ahead_in_the_queue_comes_first():
    found = forecast([batch(6_000)], course(ahead=3_000))
    assert (found.starts_at, found.ends_at) == (NOON + timedelta(minutes=5), NOON + timedelta(minutes=15))


def test_quiet_hours_interrupt():
    found = forecast([batch(10 * 3600 * 10)], course(quiet=QuietHours(time(20), time(8))))
    # 7 h 53 min until 20:00, the other 2 h 7 min from 08:00 on.
    assert found.ends_at == datetime(2026, 3, 5, 10, 7, tzinfo=UTC)


def test_a_daily_cap_spreads_over_utc_days():
    found = forecast([batch(2_500)], course(cap=lambda moment: 1_000, sent_today=500))
    assert found.ends_at == datetime(2026, 3, 6, 0, 1, 40, tzinfo=UTC)
    growing = forecast([batch(700)], course(cap=lambda moment: 250 if moment.day == 4 else 500))
    assert growing.ends_at == datetime(2026, 3, 5, 0, 0, 45, tzinfo=UTC)


def test_each_zone_waits_for_its_own_time():
    late = NOON + timedelta(hours=5)
    found = forecast([batch(600), batch(600, ZoneInfo("America/New_York"), late)], course())
    assert (found.starts_at, found.ends_at) == (NOON, late + timedelta(minutes=1))


def test_without_a_limit_it_takes_no_time_and_without_an_end_there_is_none():
    assert forecast([batch(10**6)], course(rate=0)).ends_at == NOON
    assert forecast([batch(10)], course(cap=lambda _: 0)).ends_at is None
    assert forecast([], course()).starts_at is None


def test_the_plan_says_what_the_launch_then_does(make_contacts, make_campaign, work, channel):
    make_contacts(60)
    Suppression.objects.create(address="22961000000", reason="blacklist", scope="all")
    Suppression.objects.create(address="22961000001", reason="opt_out", scope="marketing")
    Contact.objects.filter(phone="22961000002").update(status="inactive")
    campaign = make_campaign()
    plan = campaign_plan(campaign_id=campaign.pk)
    assert (plan.recipients, plan.to_check, plan.is_exact, plan.problems) == (57, 0, True, ())
    assert plan.skipped == {"suppressed": 1, "opted_out": 1, "inactive": 1}
    assert Message.objects.count() == 0
    run = campaign_launch(campaign_id=campaign.pk)
    work()
    assert totals(run) == {"accepted": 57} | plan.skipped


def test_the_end_is_the_arithmetic_of_the_sandboxes_rate(make_contacts, make_campaign):
    make_contacts(1000)
    Channel.objects.update(rate_per_second=50)
    plan = campaign_plan(campaign_id=make_campaign().pk)
    seconds = (plan.ends_at - timezone.now()).total_seconds()
    assert abs(seconds - 1000 / 50) / (1000 / 50) < 0.05


def test_an_audience_that_is_too_big_to_count_in_time_is_projected(make_contacts, make_campaign, monkeypatch):
    monkeypatch.setattr("campaigns.services.plan._PIECE", 100)
    make_contacts(1000)
    plan = campaign_plan(campaign_id=make_campaign().pk, seconds=0.0)
    assert not plan.is_exact
    assert plan.recipients == pytest.approx(1000, rel=0.05)


def test_problems_are_told_before_anybody_presses_send(make_contacts, make_campaign):
    make_contacts(1)
    campaign = make_campaign()
    Channel.objects.update(status="paused", status_reason="Token refused")
    channels._snapshots.clear()
    assert campaign_plan(campaign_id=campaign.pk).problems == ("The channel is paused. Token refused",)


def test_recipients_in_other_zones_are_planned_at_their_time(make_campaign):
    Contact.objects.create(phone="22961000000")
    Contact.objects.create(phone="12125550100")
    tomorrow = (timezone.now() + timedelta(days=1)).date()
    campaign = make_campaign(zone="Africa/Porto-Novo", in_recipient_zone=True)
    nine = datetime.combine(tomorrow, time(9), tzinfo=ZoneInfo("Africa/Porto-Novo"))
    plan = campaign_plan(campaign_id=campaign.pk, occurrence_at=nine)
    assert plan.starts_at == nine
    end = datetime.combine(tomorrow, time(9), tzinfo=ZoneInfo("America/New_York"))
    assert abs((plan.ends_at - end).total_seconds()) < 1
