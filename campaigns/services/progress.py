"""A campaign's state follows from its runs and its schedule: worked out in one place, under a lock of its row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from campaigns.models import Campaign, Run, Schedule
from campaigns.reports import Totals, run_totals
from tenants.agenda import agenda_put
from tenants.connection import connection
from tenants.errors import NotFound
from webhooks_app.services.events import event_publish

RUN_KIND: Final = "campaign_run"
SCHEDULE_KIND: Final = "campaign_schedule"
ACTIVE: Final = (Run.Status.PREPARING, Run.Status.SENDING)
_EVENTS: Final[Mapping[str, str]] = {
    Run.Status.COMPLETED: "campaign.completed",
    Run.Status.FAILED: "campaign.failed",
    Run.Status.MISSED: "campaign.failed",
}


def campaign_get(*, campaign_id: int, lock: bool = False) -> Campaign:
    """The campaign with its channel; locked until the end of the transaction with `lock`. Raises `NotFound`."""
    rows = Campaign.objects.select_related("channel")
    if lock:
        rows = rows.select_for_update(of=("self",))
    campaign = rows.filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("campaign_not_found", _("There is no such campaign."))
    return campaign


def run_wake(run_id: int) -> None:
    """Have the run looked at with the next tick."""
    agenda_put(schema=connection.schema_name, kind=RUN_KIND, key=str(run_id), due_at=datetime.now(UTC))


def run_end(*, run: Run, status: str, reason: str = "") -> bool:
    """End an active run, and with it the campaign when nothing more is to come. False when it had ended already."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().get(pk=run.campaign_id)
        changed = Run.objects.filter(pk=run.pk, status__in=ACTIVE).update(
            status=status, status_reason=reason[:500], finished_at=datetime.now(UTC)
        )
        if changed:
            if campaign.status == Campaign.Status.RUNNING:
                _settle(campaign, status, reason)
            run_tell(campaign=campaign, run_id=run.pk, type=_EVENTS[status], reason=reason)
    return bool(changed)


def run_tell(*, campaign: Campaign, run_id: int, type: str, reason: str = "") -> None:
    """Publish and record `campaign.started`, `.completed` or `.failed` of one run, in the transaction of the change."""
    totals = run_totals(run_ids=[run_id]).get(run_id, Totals())
    data: dict[str, Any] = {
        "id": str(campaign.uuid),
        "number": campaign.pk,
        "name": campaign.name,
        "status": campaign.status,
        "run_id": run_id,
        # Not known before everybody has been looked at.
        "recipients": None,
    }
    if type != "campaign.started":
        numbers = ("recipients", "sent", "delivered", "read", "failed")
        data |= {name: getattr(totals, name) for name in numbers} | {"skipped": totals.skipped_total}
    if reason:
        data["reason"] = reason
    told = ("run_id", "status", "recipients", "sent", "delivered", "read", "failed", "skipped", "reason")
    audit_record(action=type, subject=campaign, new={name: data[name] for name in told if data.get(name) is not None})
    event_publish(type=type, data={"campaign": data}, key=f"campaign-{campaign.pk}", channel_id=campaign.channel_id)


def run_miss(*, campaign: Campaign, occurrence_at: datetime, reason: str) -> None:
    """Note an occurrence that does not take place, with the reason, for everybody to see."""
    defaults = {"status": Run.Status.MISSED, "status_reason": reason[:500], "finished_at": datetime.now(UTC)}
    run, created = Run.objects.get_or_create(campaign_id=campaign.pk, occurrence_at=occurrence_at, defaults=defaults)
    if created:
        run_tell(campaign=campaign, run_id=run.pk, type=_EVENTS[Run.Status.MISSED], reason=reason)


def _settle(campaign: Campaign, ended_as: str, reason: str) -> None:
    """The campaign after one of its runs has ended."""
    if campaign.runs.filter(status__in=ACTIVE).exists():
        return
    if Schedule.objects.filter(campaign_id=campaign.pk, is_active=True, next_at__isnull=False).exists():
        campaign_set(campaign, Campaign.Status.SCHEDULED, reason)
        return
    status = Campaign.Status.FAILED if ended_as == Run.Status.FAILED else Campaign.Status.COMPLETED
    campaign_set(campaign, status, reason, finished_at=datetime.now(UTC))


def campaign_set(campaign: Campaign, status: str, reason: str = "", **fields: Any) -> None:
    """Write the state of a locked campaign, and tell those who want to know."""
    now = datetime.now(UTC)
    Campaign.objects.filter(pk=campaign.pk).update(status=status, status_reason=reason[:500], updated_at=now, **fields)
    campaign.status = status


def run_start(*, campaign: Campaign, occurrence_at: datetime) -> Run | None:
    """Make the run of an occurrence and put it on the agenda; None when there is one already. In a transaction."""
    phase = Run.Phase.SAMPLE if campaign.has_winner_rule and campaign.variants.exists() else Run.Phase.ALL
    run, created = Run.objects.get_or_create(
        campaign_id=campaign.pk, occurrence_at=occurrence_at, defaults={"phase": phase}
    )
    if not created:
        return None
    run_wake(run.pk)
    return run
