"""Schedules: occurrences on the agenda, each started once whatever crashes, or shown as missed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from campaigns.models import Campaign, Run, Schedule
from campaigns.recurrence import (
    BadRule,
    Frequency,
    Rule,
    next_occurrence,
    next_occurrences,
    wall_clock_instant,
)
from campaigns.services.progress import ACTIVE, SCHEDULE_KIND, campaign_get, campaign_set, run_miss, run_start
from campaigns.timing import EARLIEST_ZONE
from tenants.agenda import agenda_drop, agenda_handler, agenda_put
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput
from tenants.models import Organization

Status = Campaign.Status
# Occurrences worked off by one look; after a long outage the next look goes on at once.
_AT_ONCE: Final = 100
_WHILE_SUSPENDED: Final = timedelta(minutes=1)


def rule_of(schedule: Schedule) -> Rule:
    """The schedule as a rule. Raises `BadRule`."""
    return Rule(
        Frequency(schedule.frequency),
        schedule.time,
        schedule.start_date,
        schedule.end_date,
        schedule.interval,
        tuple(schedule.weekdays),
        schedule.day_of_month,
    )


def schedule_set(
    *,
    campaign_id: int,
    frequency: str,
    time: time,
    start_date: date,
    end_date: date | None = None,
    interval: int = 1,
    weekdays: Sequence[int] = (),
    day_of_month: int | None = None,
    is_active: bool = True,
) -> Schedule:
    """Schedule the campaign (in its zone), in place of an earlier schedule; `is_active=False` keeps it switched off.

    Raises `NotFound`; `InvalidInput` for a rule that cannot be, or that has no occurrence any more; `Conflict` for a
    campaign that was cancelled.
    """
    if frequency not in list(Frequency):
        raise InvalidInput("invalid_schedule", _("The frequency is unknown."), {"frequency": _("is unknown")})
    with transaction.atomic():
        campaign = campaign_get(campaign_id=campaign_id, lock=True)
        if campaign.status == Status.CANCELLED:
            raise Conflict("campaign_cancelled", _("The campaign was cancelled: duplicate it."))
        schedule = Schedule.objects.filter(campaign_id=campaign.pk).first() or Schedule(campaign=campaign)
        schedule.frequency, schedule.time = frequency, time
        schedule.start_date, schedule.end_date, schedule.interval = start_date, end_date, interval
        schedule.weekdays, schedule.day_of_month, schedule.is_active = sorted(set(weekdays)), day_of_month, is_active
        schedule.next_at = _first(schedule, campaign)
        if is_active and schedule.next_at is None:
            raise InvalidInput(
                "schedule_over", _("The schedule has no day left."), {"start_date": _("lies in the past")}
            )
        schedule.save()
        _plan_next(campaign, schedule)
        audit_record(action="campaign.scheduled", subject=campaign, new=_described(schedule))
    return schedule


def schedule_once(*, campaign_id: int, at: datetime) -> Schedule:
    """Schedule the campaign once at the instant `at`, to the minute. Raises as `schedule_set`."""
    campaign = campaign_get(campaign_id=campaign_id)
    local = at.astimezone(ZoneInfo(campaign.zone))
    return schedule_set(
        campaign_id=campaign_id,
        frequency=Frequency.ONCE,
        time=local.time().replace(second=0, microsecond=0, fold=0),
        start_date=local.date(),
    )


def _described(schedule: Schedule) -> dict[str, Any]:
    """The schedule's fields as the audit log keeps them."""
    names = ("frequency", "time", "start_date", "end_date", "interval", "weekdays", "day_of_month", "is_active")
    values = {name: getattr(schedule, name) for name in names}
    return {name: str(value) if isinstance(value, (date, time)) else value for name, value in values.items()}


def schedule_refresh(*, campaign: Campaign, off: bool = False) -> None:
    """After a change of the campaign's zone: the next occurrence anew. `off` takes it off the agenda."""
    schedule = Schedule.objects.filter(campaign_id=campaign.pk).first()
    if schedule is None:
        return
    if off:
        schedule.is_active = False
    schedule.next_at = _first(schedule, campaign)
    schedule.save(update_fields=["is_active", "next_at"])
    _plan_next(campaign, schedule)


def schedule_toggle(*, campaign_id: int, is_active: bool) -> Schedule:
    """Switch a schedule on or off. Raises `NotFound`, `InvalidInput` schedule_over."""
    schedule = Schedule.objects.filter(campaign_id=campaign_id).first()
    if schedule is None:
        raise InvalidInput("no_schedule", _("The campaign has no schedule."), {"schedule": _("does not exist")})
    rule = rule_of(schedule)
    return schedule_set(
        campaign_id=campaign_id,
        frequency=rule.frequency,
        time=rule.time,
        start_date=rule.start_date,
        end_date=rule.end_date,
        interval=rule.interval,
        weekdays=rule.weekdays,
        day_of_month=rule.day_of_month,
        is_active=is_active,
    )


def schedule_preview(*, schedule: Schedule, zone: str, n: int = 10) -> list[datetime]:
    """The next `n` occurrences from now, in UTC."""
    return next_occurrences(rule_of(schedule), ZoneInfo(zone), datetime.now(UTC), n)


def run_begins_at(campaign: Campaign, occurrence_at: datetime) -> datetime:
    """When the run of an occurrence starts: on recipients' own clocks, when the first zone has that time."""
    if not campaign.in_recipient_zone:
        return occurrence_at
    local = occurrence_at.astimezone(ZoneInfo(campaign.zone))
    return min(occurrence_at, wall_clock_instant(local.date(), local.time(), EARLIEST_ZONE))


@agenda_handler(SCHEDULE_KIND)
def schedule_fire(schema: str, key: str) -> datetime | None:
    """Start (or note as missed) every occurrence that is due; returns when the next one begins.

    The schedule's place and the runs are written in one transaction: a second scheduler, or a second firing after a
    crash, finds the place moved on.
    """
    now = datetime.now(UTC)
    if not Organization.objects.filter(schema_name=schema, status=Organization.Status.ACTIVE).exists():
        return now + _WHILE_SUSPENDED
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(pk=int(key)).first()
        schedule = Schedule.objects.filter(campaign_id=int(key), is_active=True).first()
        if campaign is None or schedule is None:
            return None
        for _i in range(_AT_ONCE):
            if schedule.next_at is None or run_begins_at(campaign, schedule.next_at) > now:
                break
            _occur(campaign, schedule.next_at, now)
            schedule.next_at = next_occurrence(rule_of(schedule), ZoneInfo(campaign.zone), schedule.next_at)
        schedule.save(update_fields=["next_at"])
        if schedule.next_at is not None:
            return max(run_begins_at(campaign, schedule.next_at), now)
        _end(campaign)
    return None


def _occur(campaign: Campaign, occurrence_at: datetime, now: datetime) -> None:
    reason = ""
    if campaign.status == Status.PAUSED:
        reason = "Missed: the campaign was paused."
    elif now > occurrence_at + timedelta(minutes=campaign.grace_minutes):
        late = int((now - occurrence_at).total_seconds() // 60)
        reason = f"Missed: it could only have started {late} minutes late; {campaign.grace_minutes} are allowed."
    if reason:
        run_miss(campaign=campaign, occurrence_at=occurrence_at, reason=reason)
    elif run_start(campaign=campaign, occurrence_at=occurrence_at) is not None:
        campaign_set(campaign, Status.RUNNING, started_at=now, finished_at=None)


def _end(campaign: Campaign) -> None:
    """No occurrence is left: a campaign that nothing of is under way is over."""
    if campaign.status != Status.SCHEDULED or campaign.runs.filter(status__in=ACTIVE).exists():
        return
    last = campaign.runs.order_by("-occurrence_at").first()
    if last is not None and last.status == Run.Status.MISSED:
        campaign_set(campaign, Status.FAILED, last.status_reason, finished_at=datetime.now(UTC))
    else:
        campaign_set(campaign, Status.COMPLETED, finished_at=datetime.now(UTC))


def _first(schedule: Schedule, campaign: Campaign) -> datetime | None:
    """The next occurrence from now on, when the schedule is active."""
    try:
        rule = rule_of(schedule)
    except BadRule as error:
        raise InvalidInput("invalid_schedule", str(error), error.fields) from error
    return next_occurrence(rule, ZoneInfo(campaign.zone), datetime.now(UTC)) if schedule.is_active else None


def _plan_next(campaign: Campaign, schedule: Schedule) -> None:
    """Put the next occurrence on the agenda, or take it off; a campaign that rests shows it in its state."""
    at = {"schema": connection.schema_name, "kind": SCHEDULE_KIND, "key": str(campaign.pk)}
    if schedule.next_at is None:
        agenda_drop(**at)
    else:
        agenda_put(**at, due_at=run_begins_at(campaign, schedule.next_at))
    if schedule.next_at is not None and campaign.status in (Status.DRAFT, Status.COMPLETED, Status.FAILED):
        campaign_set(campaign, Status.SCHEDULED)
    elif schedule.next_at is None and campaign.status == Status.SCHEDULED:
        campaign_set(campaign, Status.COMPLETED if campaign.runs.exists() else Status.DRAFT)
