"""News about accounts, numbers and people, applied to the channels and contacts of the current schema."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson
import structlog
from django.db import connection
from django.db.models import Q, QuerySet

from contacts.services.identities import contact_identity_move
from contacts.services.suppressions import marketing_resume, marketing_stop
from messaging.drivers.news import (
    Effect,
    IdentityMove,
    MarketingResume,
    MarketingStop,
    MessagingLimit,
    Pause,
    Quality,
    TemplateNews,
)
from messaging.models import Channel
from messaging.services.channels import channel_pause
from messaging.services.templates import template_news_apply

log = structlog.get_logger(__name__)

# How far the provider's clock, which tells whole seconds, may be behind ours.
_CLOCKS: Final = timedelta(seconds=5)


def effects_apply(*, channel_ids: Sequence[int], effects: Sequence[Effect], at: datetime | None = None) -> None:
    """Apply `effects` of news of `at` to these channels; repeating them changes nothing.

    Providers repeat news for days: what is older than the present state of a channel or template does not undo it.
    """
    for effect in effects:
        _apply(list(channel_ids), effect, at)


def channels_of_account(*, kind: str, account_id: str) -> list[int]:
    """The channels of one account at the provider."""
    return list(Channel.objects.filter(kind=kind, account_id=account_id).order_by("pk").values_list("pk", flat=True))


def _apply(channel_ids: list[int], effect: Effect, at: datetime | None) -> None:
    match effect:
        case Pause(reason):
            for channel_id in _unmended(channel_ids, at):
                if channel_pause(channel_id=channel_id, reason=reason):
                    log.error("channel_paused", channel=channel_id, reason=reason)
        case Quality(rating, address):
            _note_quality(_of(channel_ids, address), rating, at)
        case MessagingLimit(limit, address):
            _note_limit(list(_of(channel_ids, address).order_by("pk").values_list("pk", flat=True)), limit, at)
        case MarketingStop(addresses, chosen_at):
            marketing_stop(addresses=addresses, at=chosen_at, note="The customer stopped marketing messages")
        case MarketingResume(addresses, chosen_at):
            marketing_resume(addresses=addresses, at=chosen_at)
        case TemplateNews():
            template_news_apply(channel_ids=channel_ids, news=effect, at=at)
        case IdentityMove(kind, previous, current):
            contact_identity_move(kind=kind, previous=previous, current=current)


def _unmended(channel_ids: list[int], at: datetime | None) -> list[int]:
    """The channels whose state is not newer than news of `at`."""
    channels = Channel.objects.filter(pk__in=channel_ids).order_by("pk")
    if at is not None:
        channels = channels.exclude(status_since__gt=at + _CLOCKS)
    return list(channels.values_list("pk", flat=True))


def _of(channel_ids: list[int], address: str) -> QuerySet[Channel]:
    channels = Channel.objects.filter(pk__in=channel_ids)
    return channels.filter(address=address) if address else channels


def _note_quality(channels: QuerySet[Channel], rating: str, at: datetime | None) -> None:
    """Note the rating where nothing newer is known. News without a time count by their arrival."""
    if at is None:
        channels.update(quality_rating=rating[:10])
        return
    known = channels.filter(Q(quality_at__isnull=True) | Q(quality_at__lte=at))
    known.update(quality_rating=rating[:10], quality_at=at)


def _note_limit(channel_ids: list[int], limit: str, at: datetime | None) -> None:
    """Note the limit where nothing newer is known.

    One key of the settings changes; what staff edit at the same time stays.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE messaging_channel SET config = config || %(limit)s::jsonb, limit_at = COALESCE(%(at)s, limit_at)
               WHERE id = ANY(%(ids)s) AND (%(at)s::timestamptz IS NULL OR limit_at IS NULL OR limit_at <= %(at)s)""",
            {"limit": orjson.dumps({"messaging_limit": limit}).decode(), "ids": channel_ids, "at": at},
        )
