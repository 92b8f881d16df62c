"""What people do with a campaign: send it, pause, resume, cancel, try failed ones again, send a test to themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from campaigns.audience import audience_is_empty
from campaigns.models import Campaign, Run, Schedule, Variant
from campaigns.personalisation import contact_values, content_personalise
from campaigns.services.charging import retry_check
from campaigns.services.content import channel_refused, content_check
from campaigns.services.launch_sql import address_kinds
from campaigns.services.moves import Move, batch_move
from campaigns.services.plan import credits_check
from campaigns.services.progress import ACTIVE, SCHEDULE_KIND, campaign_get, campaign_set, run_start, run_wake
from contacts.models import Contact
from contacts.phones import BadPhone, phone_normalise
from messaging.drivers.registry import driver_of
from messaging.models import Channel, Message
from messaging.models.message import PRIORITY_CONVERSATION
from messaging.services.accept import Draft, SendingOrganization, message_accept
from messaging.services.channels import channel_by_uuid
from tenants.agenda import agenda_drop, agenda_put
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput, NotFound

Status = Campaign.Status
# From which states a campaign may be sent.
_LAUNCHABLE: Final = (Status.DRAFT, Status.SCHEDULED, Status.COMPLETED, Status.FAILED, Status.CANCELLED)
_SAMPLE_NAME: Final = "Ada Sample"


def campaign_launch(*, campaign_id: int) -> Run:
    """Send the campaign now; a schedule stays as it is. The first messages leave within seconds.

    Raises `NotFound`; `Conflict` campaign_running, campaign_paused, channel_not_connected, audience_empty;
    `InvalidInput` for content that the channel cannot send; `LimitReached` insufficient_credits when who pays has less
    than it costs (`CAMPAIGN_CREDITS_REQUIRED`).
    """
    with transaction.atomic():
        campaign = campaign_get(campaign_id=campaign_id, lock=True)
        if campaign.status not in _LAUNCHABLE:
            raise Conflict(
                f"campaign_{campaign.status}", _("The campaign is %(state)s already.") % {"state": campaign.status}
            )
        _sendable_check(campaign)
        if audience_is_empty(campaign, address_kinds=address_kinds(driver_of(campaign.channel.kind))):
            raise Conflict("audience_empty", _("Nobody is in the audience."), {"audience": _("is empty")})
        if settings.CAMPAIGN_CREDITS_REQUIRED:
            credits_check(campaign)
        now = datetime.now(UTC)
        campaign_set(campaign, Status.RUNNING, started_at=now, finished_at=None)
        run = run_start(campaign=campaign, occurrence_at=now)
        if run is None:
            raise Conflict("campaign_running", _("The campaign was started at this very moment."))
        audit_record(action="campaign.launched", subject=campaign)
    return run


def campaign_pause(*, campaign_id: int, reason: str = "") -> None:
    """Stop sending: what waits leaves the queue, what is under way arrives, no occurrence starts. Raises `Conflict`."""
    with transaction.atomic():
        campaign = campaign_get(campaign_id=campaign_id, lock=True)
        if campaign.status not in (Status.RUNNING, Status.SCHEDULED):
            raise Conflict(
                "campaign_not_running",
                _("Only a running or scheduled campaign is paused; it is %(state)s.") % {"state": campaign.status},
            )
        campaign_set(campaign, Status.PAUSED, reason)
        audit_record(action="campaign.paused", subject=campaign, new={"reason": reason})
        runs = list(campaign.runs.filter(status__in=ACTIVE))
        campaign.runs.filter(status__in=ACTIVE).update(
            status=Run.Status.PAUSED, job=Run.Job.PARK, status_reason=reason[:500]
        )
        for run in runs:
            run_wake(run.pk)
    for run in runs:
        # The front of the queue at once; the agenda does the rest.
        batch_move(campaign=campaign, run=run, move=Move.PARK)


def campaign_resume(*, campaign_id: int) -> None:
    """Go on where the campaign was paused; nobody gets anything twice. Checks the content and its template again.

    Raises `Conflict` (campaign_not_paused, channel_not_connected), `InvalidInput`.
    """
    with transaction.atomic():
        campaign = campaign_get(campaign_id=campaign_id, lock=True)
        if campaign.status != Status.PAUSED:
            raise Conflict("campaign_not_paused", _("The campaign is not paused."))
        _sendable_check(campaign)
        paused = campaign.runs.filter(status=Run.Status.PAUSED)
        run_ids = list(paused.values_list("pk", flat=True))
        paused.filter(phase=Run.Phase.QUEUED).update(status=Run.Status.SENDING, job=Run.Job.RELEASE, status_reason="")
        paused.exclude(phase=Run.Phase.QUEUED).update(
            status=Run.Status.PREPARING, job=Run.Job.RELEASE, status_reason=""
        )
        campaign_set(campaign, Status.RUNNING if run_ids else _resting_status(campaign))
        audit_record(action="campaign.resumed", subject=campaign)
        for run_id in run_ids:
            run_wake(run_id)


def campaign_cancel(*, campaign_id: int) -> None:
    """End the campaign for good: messages that wait are cancelled, its schedule is switched off. Raises `Conflict`."""
    with transaction.atomic():
        campaign = campaign_get(campaign_id=campaign_id, lock=True)
        if campaign.status not in (Status.DRAFT, Status.RUNNING, Status.SCHEDULED, Status.PAUSED):
            raise Conflict("campaign_ended", _("The campaign has ended: it is %(state)s.") % {"state": campaign.status})
        now = datetime.now(UTC)
        campaign_set(campaign, Status.CANCELLED, finished_at=now)
        audit_record(action="campaign.cancelled", subject=campaign)
        Schedule.objects.filter(campaign_id=campaign.pk).update(is_active=False, next_at=None)
        agenda_drop(schema=connection.schema_name, kind=SCHEDULE_KIND, key=str(campaign.pk))
        open_runs = campaign.runs.filter(status__in=(*ACTIVE, Run.Status.PAUSED))
        runs = list(open_runs)
        open_runs.update(status=Run.Status.CANCELLED, job=Run.Job.CANCEL, finished_at=now)
        for run in runs:
            run_wake(run.pk)
    for run in runs:
        batch_move(campaign=campaign, run=run, move=Move.CANCEL)


def campaign_retry_failed(*, campaign_id: int, run_id: int | None = None) -> Run:
    """Queue the failed messages of a run (the newest one by default) again, and nothing else.

    Raises `NotFound`, `Conflict` (nothing_failed, campaign_paused, channel_not_connected), `LimitReached`
    insufficient_credits.
    """
    with transaction.atomic():
        campaign = campaign_get(campaign_id=campaign_id, lock=True)
        rows = campaign.runs.select_for_update().exclude(status__in=(Run.Status.MISSED, Run.Status.CANCELLED))
        run = (rows if run_id is None else rows.filter(pk=run_id)).order_by("-id").first()
        if run is None:
            raise NotFound("run_not_found", _("The campaign has no such run."))
        if campaign.status == Status.PAUSED or run.job:
            raise Conflict("campaign_busy", _("The campaign is paused or being changed; try again afterwards."))
        if not Message.objects.filter(campaign_run_id=run.pk, status=Message.Status.FAILED).exists():
            raise Conflict("nothing_failed", _("No message of this run failed."))
        _sendable_check(campaign)
        retry_check(run_id=run.pk)
        Run.objects.filter(pk=run.pk).update(
            status=Run.Status.SENDING if run.phase == Run.Phase.QUEUED else run.status,
            job=Run.Job.RETRY,
            retry_before=datetime.now(UTC),
            status_reason="",
            finished_at=None,
        )
        campaign_set(campaign, Status.RUNNING, finished_at=None)
        run_wake(run.pk)
        audit_record(action="campaign.failed_retried", subject=campaign, new={"run": run.pk})
    run.refresh_from_db()
    return run


def campaign_test_send(
    *, organization: SendingOrganization, campaign_id: int, to: str, variant_id: int | None = None
) -> UUID:
    """Send one message of the campaign to `to`, outside of any run; returns its id.

    Filled with the values of the contact who has that number, else with a sample name. Raises what accepting raises.
    """
    campaign = campaign_get(campaign_id=campaign_id)
    content = campaign.content
    if variant_id is not None:
        variant = Variant.objects.filter(pk=variant_id, campaign_id=campaign.pk).first()
        if variant is None:
            raise NotFound("variant_not_found", _("There is no such variant."), {"variant": _("does not exist")})
        content = variant.content
    try:
        phone = phone_normalise(to, organization.default_country)
    except BadPhone as error:
        raise InvalidInput(
            "invalid_phone", _("The number %(error)s.") % {"error": error}, {"to": str(error)}
        ) from error
    contact = Contact.objects.filter(phone=phone).first()
    values = contact_values(
        name=contact.name if contact else _SAMPLE_NAME,
        email=contact.email if contact else "",
        phone=phone,
        custom=contact.custom if contact else {},
    )
    accepted = message_accept(
        organization=organization,
        channel=channel_by_uuid(schema=organization.schema_name, uuid=campaign.channel.uuid),
        draft=Draft(to=to, content=content_personalise(content, values)),
        origin=Message.Origin.CAMPAIGN,
        priority=PRIORITY_CONVERSATION,
    )
    return accepted.uuid


def campaigns_hold(*, channel_id: int, template_name: str, language: str, reason: str) -> list[int]:
    """Pause every running or scheduled campaign of the channel that uses the template; returns their ids.

    They are resumed by hand, which checks the template again.
    """
    template = {"template": {"name": template_name, "language": {"code": language}}}
    active = Campaign.objects.filter(channel_id=channel_id, status__in=(Status.RUNNING, Status.SCHEDULED))
    found = set(active.filter(content__contains=template).values_list("pk", flat=True))
    found |= set(active.filter(variants__content__contains=template).values_list("pk", flat=True))
    held = []
    for campaign_id in sorted(found):
        try:
            campaign_pause(campaign_id=campaign_id, reason=reason)
        except Conflict:
            # It ended at this very moment: nothing is left to hold.
            continue
        held.append(campaign_id)
    return held


def _sendable_check(campaign: Campaign) -> None:
    if campaign.channel.status != Channel.Status.CONNECTED:
        raise channel_refused(campaign.channel)
    for content in [variant.content for variant in campaign.variants.all()] or [campaign.content]:
        content_check(channel=campaign.channel, content=content)


def _resting_status(campaign: Campaign) -> str:
    """What a campaign without a run under way is: scheduled while something is to come, else a draft or done."""
    schedule = Schedule.objects.filter(campaign_id=campaign.pk, is_active=True, next_at__isnull=False).first()
    if schedule is not None and schedule.next_at is not None:
        agenda_put(schema=connection.schema_name, kind=SCHEDULE_KIND, key=str(campaign.pk), due_at=datetime.now(UTC))
        return Status.SCHEDULED
    return Status.COMPLETED if campaign.runs.exists() else Status.DRAFT
