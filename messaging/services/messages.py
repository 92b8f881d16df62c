"""What can be done with a message after it was accepted: cancel it, or try a failed one again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.services.outcomes import message_hold_again, messages_credit
from messaging.content import CONTENT_REMOVED
from messaging.dispatch.wake import lane_wake
from messaging.models import ChannelCount, Message, RunCount
from tenants.connection import connection
from tenants.errors import Conflict, NotFound
from webhooks_app.services.events import message_events_publish

_WAITING = (Message.Status.QUEUED, Message.Status.SCHEDULED)


def message_cancel(*, message_uuid: UUID) -> None:
    """Take a waiting message out of the queue. Raises `NotFound`, or `Conflict` when it has left already."""
    with transaction.atomic():
        message = (
            Message.objects.filter(uuid=message_uuid, direction=Message.Direction.OUT)
            .only("id", "channel_id", "campaign_run_id", "campaign_variant_id")
            .first()
        )
        if message is None:
            raise NotFound("message_not_found", _("No such message."))
        changed = Message.objects.filter(pk=message.pk, status__in=_WAITING).update(
            status=Message.Status.CANCELLED, due_at=None
        )
        if not changed:
            raise Conflict("message_not_waiting", _("The message is not waiting any more and cannot be cancelled."))
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        ChannelCount.objects.create(
            channel_id=message.channel_id, hour=hour, metric=ChannelCount.Metric.CANCELLED, count=1
        )
        _run_count(message, {RunCount.Metric.CANCELLED: 1, RunCount.Metric.DONE: 1})
        message_events_publish(events=[(message.pk, "message.cancelled")])
        messages_credit(channel_id=message.channel_id, released=[message.pk])


def message_retry(*, message_uuid: UUID) -> None:
    """Queue a failed message again; it is paid for again.

    Raises `NotFound`, `Conflict` when it did not fail or its content is gone, `LimitReached` insufficient_credits.
    """
    message = Message.objects.filter(uuid=message_uuid, direction=Message.Direction.OUT).first()
    if message is None:
        raise NotFound("message_not_found", _("No such message."))
    if message.is_sensitive:
        raise Conflict("message_sensitive", _("A one-time password is not sent again: ask for a new one."))
    failed = Message.objects.filter(pk=message.pk, status=Message.Status.FAILED)
    with transaction.atomic():
        # In the guard itself, because the text may be removed in this very moment.
        changed = failed.exclude(content__has_key=CONTENT_REMOVED).update(
            status=Message.Status.QUEUED,
            provider_id=None,
            attempts=0,
            fence=None,
            claimed_at=None,
            due_at=None,
            expires_at=None,
            queued_at=timezone.now(),
            sent_at=None,
            failed_at=None,
            error_code="",
            error_reason="",
        )
        if changed:
            taken_back = {RunCount.Metric.FAILED: -1, RunCount.Metric.DONE: -1}
            if message.sent_at is not None:
                taken_back[RunCount.Metric.SENT] = -1
            _run_count(message, taken_back)
            message_hold_again(message_id=message.pk)
    if not changed:
        if failed.exists():
            raise Conflict("content_removed", _("The text of this message is no longer kept."))
        raise Conflict("message_not_failed", _("Only a failed message can be sent again."))
    transaction.on_commit(partial(lane_wake, connection.schema_name, message.channel_id))


def _run_count(message: Message, counts: Mapping[RunCount.Metric, int]) -> None:
    """Keep the counters of the campaign's run in step, when the message belongs to one."""
    if message.campaign_run_id is None:
        return
    minute = timezone.now().replace(second=0, microsecond=0)
    RunCount.objects.bulk_create(
        RunCount(
            run_id=message.campaign_run_id,
            variant_id=message.campaign_variant_id or 0,
            minute=minute,
            metric=metric,
            count=count,
        )
        for metric, count in counts.items()
    )
