"""Endpoints: register, change, switch, rotate the secret, delete.

URLs are checked here, so that a mistake is told at once, and again at each delivery, which is pinned to the address
that was checked. Look-ups of names happen outside of transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services.recording import audit_record, differences
from config.egress import UrlRefused, networks_read, resolve_public
from messaging.models import Channel
from tenants.agenda import WEBHOOK_LANE
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput, LimitReached, NotFound
from tenants.models import AgendaItem
from webhooks_app.catalogue import Surface, types_of
from webhooks_app.models import Endpoint
from webhooks_app.models.endpoint import RETRIES_MOST, TIMEOUT_MOST
from webhooks_app.services.lanes import lane_look
from webhooks_app.signing import secret_check, secret_generate

ENDPOINTS_MOST: Final = 500
OVERLAP: Final = timedelta(hours=24)
_OVERLAP_MOST: Final = timedelta(days=30)
_NAME_LENGTH: Final = 120
# (retries, seconds), as the surface's document has them; otherwise the whole schedule.
_DEFAULTS: Final = {Surface.MARKETING: (3, 30)}


def endpoints_of(*, surface: str, test_only: bool = False) -> QuerySet[Endpoint]:
    """The surface's endpoints in the current schema, newest first; `test_only`: those of test keys."""
    rows = Endpoint.objects.filter(surface=surface, deleted_at__isnull=True).order_by("-id")
    return rows.filter(test_only=True) if test_only else rows


def endpoint_get(
    *, surface: str | None = None, id: int | None = None, uuid: UUID | None = None, test_only: bool = False
) -> Endpoint:
    """One endpoint by its integer id or uuid. Raises `NotFound`, also for one of another surface.

    `test_only`: for a test key, for which the others do not exist.
    """
    rows = Endpoint.objects.filter(deleted_at__isnull=True)
    if test_only:
        rows = rows.filter(test_only=True)
    if surface is not None:
        rows = rows.filter(surface=surface)
    if id is not None:
        rows = rows.filter(pk=id)
    if uuid is not None:
        rows = rows.filter(uuid=uuid)
    found = rows.first() if id is not None or uuid is not None else None
    if found is None:
        raise NotFound("webhook_not_found", _("No such webhook."))
    return found


def endpoint_create(
    *,
    surface: str,
    url: str,
    events: Sequence[str],
    name: str = "",
    secret: str | None = None,
    retry_limit: int | None = None,
    timeout: int | None = None,
    is_active: bool = True,
    channel_ids: Sequence[int] = (),
    test_only: bool = False,
) -> tuple[Endpoint, str]:
    """Register an endpoint in the current schema; returns it and its secret, which is never shown again.

    `events` are the surface's names, or `*`. Without `secret` one is made. `retry_limit` 0 to 10 retries, `timeout` 1
    to 30 seconds. `test_only`: it hears of sandbox channels only. Raises `InvalidInput` naming the field, or
    `LimitReached`.
    """
    retries, seconds = _DEFAULTS.get(Surface(surface), (7, 10))
    fields = _checked(
        surface,
        url=url,
        events=events,
        name=name or (urlsplit(url).hostname or "")[:_NAME_LENGTH],
        retry_limit=retries if retry_limit is None else retry_limit,
        timeout=seconds if timeout is None else timeout,
        channel_ids=channel_ids,
    )
    plain = secret_check(secret) if secret else secret_generate(surface)
    if Endpoint.objects.filter(deleted_at__isnull=True).count() >= ENDPOINTS_MOST:
        raise LimitReached(
            "too_many_webhooks",
            _("There can be %(most)s webhooks at most.") % {"most": ENDPOINTS_MOST},
        )
    with transaction.atomic():
        endpoint = Endpoint.objects.create(
            surface=surface, is_active=is_active, test_only=test_only, secrets={"current": plain}, **fields
        )
        AgendaItem.objects.create(schema=connection.schema_name, kind=WEBHOOK_LANE, key=str(endpoint.pk))
        audit_record(action="webhook.created", subject=endpoint, new=_described(endpoint))
    return endpoint, plain


def endpoint_update(
    *,
    endpoint_id: int,
    url: str | None = None,
    events: Sequence[str] | None = None,
    name: str | None = None,
    secret: str | None = None,
    retry_limit: int | None = None,
    timeout: int | None = None,
    is_active: bool | None = None,
    channel_ids: Sequence[int] | None = None,
) -> Endpoint:
    """Change what is given; None keeps a value. A new `secret` replaces the old one with the usual overlap.

    Raises `NotFound`, or `InvalidInput` naming the field, and then nothing is changed.
    """
    endpoint = endpoint_get(id=endpoint_id)
    given = {
        "url": url,
        "events": events,
        "name": name,
        "retry_limit": retry_limit,
        "timeout": timeout,
        "channel_ids": channel_ids,
    }
    changed = _checked(endpoint.surface, **{key: value for key, value in given.items() if value is not None})
    if secret:
        secret_check(secret)
    with transaction.atomic():
        old = _described(endpoint)
        if changed and not Endpoint.objects.filter(pk=endpoint.pk, deleted_at__isnull=True).update(**changed):
            raise NotFound("webhook_not_found", _("No such webhook."))
        if secret:
            endpoint_rotate_secret(endpoint_id=endpoint.pk, secret=secret)
        if is_active is not None:
            _switch(endpoint.pk, is_active)
        updated = endpoint_get(id=endpoint.pk)
        before, after = differences(old, _described(updated))
        if after:
            audit_record(action="webhook.updated", subject=updated, old=before, new=after)
    return updated


def endpoint_toggle(*, endpoint_id: int, is_active: bool | None = None) -> Endpoint:
    """Switch on or off; None: the other way round. What waits goes on when it is on again. Raises `NotFound`."""
    with transaction.atomic():
        endpoint = _locked(endpoint_id)
        wanted = not endpoint.is_active if is_active is None else is_active
        _switch(endpoint.pk, wanted)
        if wanted != endpoint.is_active:
            old, new = {"is_active": endpoint.is_active}, {"is_active": wanted}
            audit_record(action="webhook.updated", subject=endpoint, old=old, new=new)
    return endpoint_get(id=endpoint_id)


def _switch(endpoint_id: int, is_active: bool) -> None:
    changes: dict[str, Any] = {"is_active": is_active}
    if is_active:
        # The clock that switches off after days of failures starts anew.
        changes |= {"disabled_reason": "", "failing_since": None}
    changed = (
        Endpoint.objects.filter(pk=endpoint_id, deleted_at__isnull=True).exclude(is_active=is_active).update(**changes)
    )
    if changed and is_active:
        lane_look(endpoint_id=endpoint_id)


def endpoint_rotate_secret(*, endpoint_id: int, secret: str | None = None, overlap: timedelta = OVERLAP) -> str:
    """A new secret (given or made); the old one signs as well during `overlap`. Returns the new one, shown once.

    Raises `NotFound`, `InvalidInput` for a secret that cannot be used, `Conflict` when it is the present one.
    """
    if not timedelta(0) <= overlap <= _OVERLAP_MOST:
        raise InvalidInput("invalid_overlap", _("The overlap is 0 to 30 days."), {"overlap": _("0 to 30 days")})
    with transaction.atomic():
        endpoint = _locked(endpoint_id)
        plain = secret_check(secret) if secret else secret_generate(endpoint.surface)
        current = endpoint.secrets.get("current", "")
        if plain == current:
            raise Conflict("secret_unchanged", _("That is the present secret."), {"secret": _("is the present secret")})
        endpoint.secrets = {"current": plain} | ({"previous": current} if overlap else {})
        endpoint.previous_until = timezone.now() + overlap if overlap else None
        endpoint.save(update_fields=["secrets", "previous_until"])
        audit_record(
            action="webhook.secret_replaced",
            subject=endpoint,
            old={"secret": current},
            new={"secret": plain, "previous_until": endpoint.previous_until},
        )
    return plain


def endpoint_delete(*, endpoint_id: int) -> None:
    """Take the endpoint out of service; its lane cancels what waits and its log stays for the retention period."""
    with transaction.atomic():
        endpoint = _locked(endpoint_id)
        Endpoint.objects.filter(pk=endpoint_id).update(
            deleted_at=timezone.now(), is_active=False, secrets={}, previous_until=None
        )
        audit_record(action="webhook.deleted", subject=endpoint, old=_described(endpoint))
        lane_look(endpoint_id=endpoint_id)


def _described(endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint's fields as the audit log keeps them; never its secrets."""
    names = ("name", "url", "events", "retry_limit", "timeout", "is_active", "channel_ids", "test_only")
    return {name: getattr(endpoint, name) for name in names}


def _locked(endpoint_id: int) -> Endpoint:
    endpoint = Endpoint.objects.select_for_update().filter(pk=endpoint_id, deleted_at__isnull=True).first()
    if endpoint is None:
        raise NotFound("webhook_not_found", _("No such webhook."))
    return endpoint


def _checked(surface: str, **given: Any) -> dict[str, Any]:
    """The given fields, checked, as columns. All problems are told at once."""
    problems: dict[str, str] = {}
    fields: dict[str, Any] = {key: given[key] for key in ("retry_limit", "timeout") if key in given}
    if not 0 <= fields.get("retry_limit", 0) <= RETRIES_MOST:
        problems["retry_limit"] = _("0 to %(most)s") % {"most": RETRIES_MOST}
    if not 1 <= fields.get("timeout", 1) <= TIMEOUT_MOST:
        problems["timeout"] = _("1 to %(most)s seconds") % {"most": TIMEOUT_MOST}
    if "name" in given:
        fields["name"] = given["name"].strip()
        if not 1 <= len(fields["name"]) <= _NAME_LENGTH or "\x00" in fields["name"]:
            problems["name"] = _("1 to %(most)s characters") % {"most": _NAME_LENGTH}
    if "channel_ids" in given:
        fields["channel_ids"] = sorted(set(given["channel_ids"]))
        if Channel.objects.filter(pk__in=fields["channel_ids"]).count() != len(fields["channel_ids"]):
            problems["channel_ids"] = _("no such channel")
    for name, check in (("events", partial(_events, surface)), ("url", _url)):
        if name not in given:
            continue
        try:
            fields |= check(given[name])
        except InvalidInput as error:
            problems[name] = error.fields.get(name, error.message)
    if problems:
        name, text = next(iter(problems.items()))
        raise InvalidInput(
            "invalid_webhook",
            _("The webhook is not valid: %(name)s: %(text)s") % {"name": name, "text": text},
            problems,
        )
    return fields


def _events(surface: str, names: Sequence[str]) -> dict[str, Any]:
    listed = list(dict.fromkeys(names))
    return {"events": listed, "types": types_of(surface, listed)}


def _url(url: str) -> dict[str, Any]:
    try:
        resolve_public(url, allowed_networks=networks_read(settings.EGRESS_ALLOWED_NETWORKS))
    except UrlRefused as error:
        raise InvalidInput("url_not_allowed", error.message, {"url": error.message}) from error
    return {"url": url}
