"""When the tokens of channels end: looked up every day, exchanged in time where the provider allows it, told before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.services.recording import audit_record
from messaging.dispatch.channel_state import provider_url
from messaging.drivers.connecting import ConnectDriver
from messaging.drivers.meta.app import AppAccess, build_inspect, read_inspect
from messaging.drivers.refreshing import RefreshDriver
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.provider_calls import info_of, provider_ask
from tenants.agenda import agenda_handler, agenda_put
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput, ServiceError

log = structlog.get_logger(__name__)
AGENDA_KIND: Final = "channel_token"
LOOK_EVERY: Final = timedelta(days=1)
# Half of the 60 days that Instagram gives: as much time is left to mend what stops the exchange.
REFRESH_BEFORE: Final = timedelta(days=30)
# People need some days to get a new one from their customer.
WARN_BEFORE: Final = timedelta(days=14)
# The provider's clock may be behind ours.
_MARGIN: Final = timedelta(hours=1)


def token_watch(*, channel: Channel) -> None:
    """Look after the channel's token from now on; for one that is new or was replaced. In the change's transaction."""
    if _is_watched(channel):
        agenda_put(schema=connection.schema_name, kind=AGENDA_KIND, key=str(channel.pk), due_at=timezone.now())


def token_is_renewed(channel: Channel) -> bool:
    """Whether the token is exchanged in time by itself."""
    driver = driver_of(channel.kind)
    return isinstance(driver, RefreshDriver) and driver.has_ending_token(info_of(channel))


def tokens_in_trouble() -> QuerySet[Channel]:
    """Channels whose token ends soon or has a problem, the first to end first."""
    soon = Q(token_expires_at__lt=timezone.now() + WARN_BEFORE)
    found = Channel.objects.filter(soon | ~Q(token_problem="")).exclude(status=Channel.Status.DISCONNECTED)
    return found.order_by("token_expires_at", "pk")


@agenda_handler(AGENDA_KIND)
def token_look(schema: str, key: str) -> datetime | None:
    """Agenda: look up when the channel's token ends, or exchange it. Returns when to look again; None: never."""
    channel = Channel.objects.filter(pk=int(key)).exclude(status=Channel.Status.DISCONNECTED).first()
    if channel is None or not _is_watched(channel):
        return None
    if token_is_renewed(channel):
        return _refresh_when_due(channel)
    _inspect(channel)
    return timezone.now() + LOOK_EVERY


def _is_watched(channel: Channel) -> bool:
    has_app = bool(settings.META_APP_ID and settings.META_APP_SECRET)
    return token_is_renewed(channel) or (has_app and isinstance(driver_of(channel.kind), ConnectDriver))


def _inspect(channel: Channel) -> None:
    """Ask Meta about the token. Of tokens that another app has made our app learns nothing: their end stays unknown."""
    token = channel.secrets.get("access_token", "")
    app = AppAccess(
        provider_url(is_sandbox=channel.is_sandbox),
        settings.META_GRAPH_VERSION,
        settings.META_APP_ID,
        settings.META_APP_SECRET,
    )
    try:
        facts = provider_ask(build_inspect(app, token), read_inspect)
    except ServiceError as error:
        if error.code not in ("channel_refused", "provider_refused"):
            raise
        log.info("token_not_inspected", channel=channel.pk, reason=error.message)
        return
    ends = datetime.fromtimestamp(facts.expires_at, UTC) if facts.expires_at > 0 else None
    problem = "" if facts.is_valid else (facts.problem or "Meta says that the token is not valid.")
    _note(channel, token, ends=ends if facts.is_valid else channel.token_expires_at, problem=problem)


def _refresh_when_due(channel: Channel) -> datetime | None:
    driver = driver_of(channel.kind)
    assert isinstance(driver, RefreshDriver)
    now = timezone.now()
    ripe = (channel.token_at or channel.created_at) + driver.refresh_age + _MARGIN
    ends = channel.token_expires_at
    due = ripe if ends is None else max(ripe, ends - REFRESH_BEFORE)
    if due > now:
        return due
    try:
        fresh = provider_ask(driver.build_refresh(info_of(channel)), driver.read_refresh)
    except (Conflict, InvalidInput) as error:
        if error.code not in ("channel_refused", "provider_refused"):
            raise
        _note(channel, channel.secrets.get("access_token", ""), ends=ends, problem=error.message)
        return timezone.now() + LOOK_EVERY
    return _replace(channel, token=fresh.token, ends=timezone.now() + fresh.lives)


def _replace(channel: Channel, *, token: str, ends: datetime) -> datetime:
    """Put the fresh token in force, unless somebody has entered another one meanwhile. Returns the next look."""
    now = timezone.now()
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        if locked.secrets.get("access_token") != channel.secrets.get("access_token"):
            return now
        Channel.objects.filter(pk=channel.pk).update(
            secrets={**locked.secrets, "access_token": token}, token_at=now, token_expires_at=ends, token_problem=""
        )
        old, new = {"token_expires_at": locked.token_expires_at}, {"token_expires_at": ends}
        audit_record(action="channel.token_renewed", subject=locked, old=old, new=new)
    return max(ends - REFRESH_BEFORE, now + LOOK_EVERY)


def _note(channel: Channel, token: str, *, ends: datetime | None, problem: str) -> None:
    """Note what is known of `token`, while it is the channel's."""
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        known = (locked.token_expires_at, locked.token_problem)
        if locked.secrets.get("access_token", "") == token and known != (ends, problem[:300]):
            Channel.objects.filter(pk=channel.pk).update(token_expires_at=ends, token_problem=problem[:300])
    if problem:
        log.error("channel_token_problem", channel=channel.pk, reason=problem)
