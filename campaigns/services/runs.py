"""Runs: started once per occurrence, worked on by the agenda in slices, ended when every message is in a final state.

All work of a run is done by one agenda item, so that two workers never do it at once; whatever a crash leaves undone is
found in the run's row by the next look.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from django.db import transaction

from campaigns.audience import audience_last_key
from campaigns.models import Run, Variant
from campaigns.reports import Totals, last_count_at, run_has_open_messages, run_totals, variant_totals
from campaigns.services.control import campaign_pause
from campaigns.services.launch import FIRST_PIECE, PIECE, piece_queue
from campaigns.services.launch_sql import launch_plan
from campaigns.services.moves import Move, batch_move
from campaigns.services.progress import RUN_KIND, run_end, run_tell
from campaigns.services.zones import campaign_quiet_hours
from campaigns.timing import all_zones, quiet_begins
from messaging.drivers.base import ContentError
from messaging.models import Channel
from messaging.services.channels import channel_by_uuid
from tenants.agenda import agenda_handler
from tenants.connection import connection
from tenants.errors import LimitReached, ServiceError
from tenants.models import Organization

log = structlog.get_logger(__name__)

# A worker goes on with other items of the agenda after this long.
SLICE_SECONDS: Final = 5.0
_SOON: Final = timedelta(seconds=1)
_WAITING_FOR_CHANNEL: Final = timedelta(seconds=10)
_WHILE_SUSPENDED: Final = timedelta(minutes=1)
_WHILE_PAUSED: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(seconds=30)
# Counters that stand still this long are checked against the rows.
_STALE: Final = timedelta(minutes=2)


@agenda_handler(RUN_KIND)
def run_work(schema: str, key: str) -> datetime | None:
    """One slice of a run's work; returns when it wants to be looked at again."""
    now = datetime.now(UTC)
    organization = Organization.objects.filter(schema_name=schema).first()
    run = Run.objects.select_related("campaign", "campaign__channel").filter(pk=int(key)).first()
    if organization is None or run is None:
        return None
    if organization.status != Organization.Status.ACTIVE:
        return now + _WHILE_SUSPENDED
    if run.job:
        return _job_slice(run)
    if run.status == Run.Status.PREPARING:
        return _prepare_slice(organization, run)
    if run.status == Run.Status.SENDING:
        return _sending_look(run)
    if run.status == Run.Status.PAUSED:
        # What was under way when the run was paused may have come back into the queue.
        batch_move(campaign=run.campaign, run=run, move=Move.PARK)
        return now + _WHILE_PAUSED
    if run.status == Run.Status.CANCELLED:
        batch_move(campaign=run.campaign, run=run, move=Move.CANCEL)
        return now + _WHILE_PAUSED if run_has_open_messages(run_id=run.pk) else None
    return None


def _job_slice(run: Run) -> datetime:
    """Batches of the run's background work until the slice is over; the last one takes the job off."""
    end = time.monotonic() + SLICE_SECONDS
    while time.monotonic() < end:
        try:
            moved = batch_move(campaign=run.campaign, run=run, move=Move(run.job))
        except LimitReached as error:
            log.info("campaign_job_stopped", run=run.pk, job=run.job, reason=error.message)
            Run.objects.filter(pk=run.pk, job=run.job).update(job=Run.Job.NONE, status_reason=error.message[:500])
            break
        if not moved:
            Run.objects.filter(pk=run.pk, job=run.job).update(job=Run.Job.NONE)
            break
    return datetime.now(UTC)


def _prepare_slice(organization: Organization, run: Run) -> datetime | None:
    now = datetime.now(UTC)
    if run.phase == Run.Phase.WAITING:
        _quiet_slice(run, now)
        if run.decide_at is not None and run.decide_at > now:
            return min(run.decide_at, now + _LONGEST_WAIT)
        _winner_decide(run)
        return datetime.now(UTC)
    waiting = _channel_wait(run, now)
    if waiting is not None:
        return waiting
    try:
        return _queue_slice(organization, run)
    except LimitReached as error:
        _stop(run, error.message)
    except ContentError as error:
        run_end(run=run, status=Run.Status.FAILED, reason=f"The text cannot be sent: {error}")
    except ServiceError as error:
        run_end(run=run, status=Run.Status.FAILED, reason=error.message)
    return None


def _channel_wait(run: Run, now: datetime) -> datetime | None:
    """When to look again because the channel cannot send; None when it can, or the run has been given up."""
    channel = run.campaign.channel
    if channel.status == Channel.Status.CONNECTED:
        if run.status_reason:
            Run.objects.filter(pk=run.pk).update(status_reason="")
        return None
    reason = f"Waits: the channel is {channel.get_status_display().lower()}. {channel.status_reason}".strip()
    deadline = run.occurrence_at + timedelta(minutes=run.campaign.grace_minutes)
    if run.cursor == 0 and now > deadline:
        run_end(run=run, status=Run.Status.MISSED, reason=f"Missed. {reason}")
        return now
    Run.objects.filter(pk=run.pk).update(status_reason=reason[:500])
    return now + _WAITING_FOR_CHANNEL


def _queue_slice(organization: Organization, run: Run) -> datetime | None:
    """Queue pieces of the audience until the slice is over or the audience at its end."""
    campaign = run.campaign
    if run.started_at is None:
        _begin(run)
        run.refresh_from_db()
    channel = channel_by_uuid(schema=connection.schema_name, uuid=campaign.channel.uuid)
    plan = launch_plan(campaign, run, channel)
    end = time.monotonic() + SLICE_SECONDS
    limit = FIRST_PIECE if run.cursor == 0 else PIECE
    while True:
        piece = piece_queue(organization=organization, plan=plan, limit=limit)
        if piece is None:
            return None
        if piece.looked_at == 0:
            _phase_end(run)
            return datetime.now(UTC)
        if time.monotonic() > end:
            return datetime.now(UTC)
        limit = PIECE


def _begin(run: Run) -> None:
    now = datetime.now(UTC)
    last_key = audience_last_key(run.campaign)
    with transaction.atomic():
        begins = Run.objects.filter(pk=run.pk, started_at__isnull=True)
        if begins.update(started_at=now, quiet_until=now, last_key=last_key):
            run_tell(campaign=run.campaign, run_id=run.pk, type="campaign.started")


def _phase_end(run: Run) -> None:
    """Everybody of this phase has been looked at: the sample now waits, otherwise all is queued."""
    now = datetime.now(UTC)
    same = Run.objects.filter(pk=run.pk, phase=run.phase, status=Run.Status.PREPARING)
    if run.phase == Run.Phase.SAMPLE:
        wait = timedelta(minutes=run.campaign.winner_wait_minutes or 0)
        same.update(phase=Run.Phase.WAITING, decide_at=now + wait)
    else:
        same.update(phase=Run.Phase.QUEUED, status=Run.Status.SENDING, queued_at=now)


def _winner_decide(run: Run) -> None:
    """The variant with the best rate by the campaign's metric; with equal ones, the first."""
    totals = variant_totals(run_id=run.pk)
    variants: list[Variant] = list(run.campaign.variants.all())
    metric = run.campaign.winner_metric
    best = max(variants, key=lambda variant: (totals.get(variant.pk, Totals()).share(metric), -variant.pk))
    Run.objects.filter(pk=run.pk, phase=Run.Phase.WAITING).update(
        phase=Run.Phase.REST, winner_id=best.pk, cursor=0, position=0
    )


def _sending_look(run: Run) -> datetime | None:
    now = datetime.now(UTC)
    if not _quiet_slice(run, now):
        return datetime.now(UTC)
    totals = run_totals(run_ids=[run.pk]).get(run.pk, Totals())
    if totals.open == 0 or _is_stale(run, now):
        if not run_has_open_messages(run_id=run.pk):
            _finish(run, totals)
            return None
        if totals.open == 0:
            log.warning("campaign_counters_behind", run=run.pk)
    return _next_look(run, totals, now)


def _is_stale(run: Run, now: datetime) -> bool:
    last = last_count_at(run_id=run.pk)
    return last is None or last < now - _STALE


def _next_look(run: Run, totals: Totals, now: datetime) -> datetime:
    """Sooner when little is left; at the latest when quiet hours may begin somewhere."""
    wait = min(_LONGEST_WAIT, max(_SOON, timedelta(seconds=totals.open / 500)))
    quiet = campaign_quiet_hours(run.campaign)
    if quiet is None:
        return now + wait
    # Zones differ from each other by multiples of a quarter of an hour.
    minutes = 15 - (now.minute - quiet.start.minute) % 15
    return min(now + wait, now.replace(second=0, microsecond=0) + timedelta(minutes=minutes))


def _quiet_slice(run: Run, now: datetime) -> bool:
    """Take messages out of the queue whose quiet hours have begun since the last look. False: more is left to do."""
    quiet = campaign_quiet_hours(run.campaign)
    if quiet is None or run.quiet_until is None:
        return True
    zones = all_zones() if run.campaign.in_recipient_zone else (run.campaign.zone,)
    if quiet_begins(quiet=quiet, zones=zones, after=run.quiet_until, until=now):
        end = time.monotonic() + SLICE_SECONDS
        while batch_move(campaign=run.campaign, run=run, move=Move.QUIET):
            if time.monotonic() > end:
                return False
    Run.objects.filter(pk=run.pk).update(quiet_until=now)
    return True


def _finish(run: Run, totals: Totals) -> None:
    """Every message is in a final state."""
    if totals.accepted and totals.failed >= totals.accepted:
        run_end(run=run, status=Run.Status.FAILED, reason="Every message failed.")
    elif totals.accepted == 0:
        run_end(run=run, status=Run.Status.COMPLETED, reason="Nobody could be written to.")
    else:
        run_end(run=run, status=Run.Status.COMPLETED)


def _stop(run: Run, reason: str) -> None:
    campaign_pause(campaign_id=run.campaign_id, reason=reason)
