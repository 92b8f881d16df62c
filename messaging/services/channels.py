"""Channels: create, find quickly, pause and resume."""

from __future__ import annotations

import secrets as random_secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services.recording import audit_record, differences
from billing.models import CreditAccount
from config.egress import UrlRefused, networks_read, resolve_public
from messaging.dispatch.channel_state import channel_info
from messaging.dispatch.health import COUNTED
from messaging.dispatch.sql import statements
from messaging.drivers.base import PHONE, Capability, ChannelInfo, ContentError, Driver
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.provider_calls import info_of
from messaging.services.content_refusals import content_refused
from messaging.services.token_life import token_watch
from tenants.agenda import LANE
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput, NotFound
from tenants.models import AgendaItem, InboundRoute, Organization
from tenants.services.plans import limit_check
from webhooks_app.services.events import channel_event_publish

# Short enough that a pause is effective within a second on every process.
_SNAPSHOT_SECONDS = 0.8
_SNAPSHOTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class ChannelSnapshot:
    """What accepting a message needs to know of a channel."""

    id: int
    uuid: UUID
    name: str
    kind: str
    status: str
    is_sandbox: bool
    account_id: str
    address: str
    enforce_window: bool
    # Whether anybody in the organisation pays for messages.
    is_charged: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def driver(self) -> Driver:
        """The driver of its kind."""
        return driver_of(self.kind)

    @property
    def checks_window(self) -> bool:
        """Whether free text needs an open service window before it is accepted."""
        return self.enforce_window and Capability.SERVICE_WINDOW in self.driver.capabilities


_FIELDS = ("id", "uuid", "name", "kind", "status", "is_sandbox", "account_id", "address", "enforce_window", "config")
_snapshots: dict[tuple[str, UUID], tuple[float, ChannelSnapshot]] = {}


def channel_by_uuid(*, schema: str, uuid: UUID) -> ChannelSnapshot:
    """The channel with this public id in `schema` (which must be the current one), at most 0.8 s old.

    Raises `NotFound`; unknown ids are not remembered.
    """
    now = time.monotonic()
    known = _snapshots.get((schema, uuid))
    if known is not None and now - known[0] < _SNAPSHOT_SECONDS:
        return known[1]
    is_charged = Exists(CreditAccount.objects.filter(is_active=True))
    row = Channel.objects.filter(uuid=uuid).values(*_FIELDS, is_charged=is_charged).first()
    if row is None:
        raise NotFound("channel_not_found", _("No such channel."))
    snapshot = ChannelSnapshot(**row)
    if len(_snapshots) >= _SNAPSHOTS_MAX:
        _snapshots.clear()
    _snapshots[schema, uuid] = (now, snapshot)
    return snapshot


def channel_by_public_id(*, schema: str, public_id: str) -> ChannelSnapshot:
    """The channel that `public_id` names: the id its owner gave it (`reference`), or the text of our own.

    At most 0.8 s old. Raises `NotFound`.
    """
    try:
        return channel_by_uuid(schema=schema, uuid=UUID(public_id))
    except ValueError:
        # References never look like a UUID.
        found = Channel.objects.filter(reference=public_id).values_list("uuid", flat=True).first()
    if found is None:
        raise NotFound("channel_not_found", _("No such channel."))
    return channel_by_uuid(schema=schema, uuid=found)


def channel_for_texts(*, schema: str, channel_id: int | None = None) -> ChannelSnapshot:
    """The channel with this integer id; without one, the channel that text messages to phones go through.

    That is the first connected SMS channel, else the first connected one that sends texts to phones; real ones before
    sandbox ones. Raises `InvalidInput` (field channel_id).
    """
    rows = Channel.objects.order_by("is_sandbox", "id")
    if channel_id is not None:
        uuid = rows.filter(pk=channel_id).values_list("uuid", flat=True).first()
        if uuid is None:
            raise InvalidInput("channel_not_found", _("There is no such channel."), {"channel_id": _("does not exist")})
        return channel_by_uuid(schema=schema, uuid=uuid)
    connected = list(rows.filter(status=Channel.Status.CONNECTED).values_list("uuid", "kind"))
    texting = [(uuid, driver_of(kind)) for uuid, kind in connected if Capability.TEXT in driver_of(kind).capabilities]
    by_phone = [(uuid, driver) for uuid, driver in texting if PHONE in driver.address_kinds]
    chosen = next((uuid for uuid, driver in by_phone if driver.network == "SMS"), None)
    if chosen is None:
        chosen = next((uuid for uuid, _driver in by_phone), None)
    if chosen is None:
        text = _("No channel that sends texts to phones is connected: connect one in the admin.")
        raise InvalidInput("no_channel", text, {"channel_id": _("no channel is connected")})
    return channel_by_uuid(schema=schema, uuid=chosen)


def channel_create(
    *,
    organization: Organization,
    name: str,
    kind: str,
    external_id: str = "",
    account_id: str = "",
    address: str = "",
    secrets: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    is_sandbox: bool = False,
    rate_per_second: int | None = None,
    enforce_window: bool | None = None,
) -> Channel:
    """Create a channel of `organization` (whose schema must be current), its inbound routes and its lane.

    `enforce_window` defaults to True for live channels and False for sandbox ones, whose provider does not enforce it.
    `external_id` is given by the provider; kinds that have none get one. Raises `InvalidInput` for settings that cannot
    work, `Conflict` when the address belongs to a channel already, here or in another organisation.
    """
    _require_schema(organization)
    driver = driver_of(kind)
    if driver.generates_id and not external_id:
        external_id = str(10**17 + random_secrets.randbelow(9 * 10**17))
    secrets = {name: random_secrets.token_urlsafe(32) for name in driver.generated_secrets} | dict(secrets or {})
    info = channel_info(
        external_id=external_id,
        account_id=account_id,
        address=address,
        config=dict(config or {}),
        secrets=secrets,
        is_sandbox=is_sandbox,
    )
    _check(driver, info)
    try:
        with transaction.atomic():
            limit_check(organization=organization, what="channels")
            channel = Channel.objects.create(
                name=name,
                kind=kind,
                external_id=external_id,
                account_id=account_id,
                address=address,
                secrets=secrets,
                config=dict(config or {}),
                is_sandbox=is_sandbox,
                rate_per_second=rate_per_second,
                enforce_window=not is_sandbox if enforce_window is None else enforce_window,
                token_at=timezone.now(),
            )
            for route_kind, value, channel_id in _routes(channel):
                InboundRoute.objects.get_or_create(
                    kind=route_kind,
                    external_id=value,
                    organization_id=organization.pk,
                    defaults={"channel_id": channel_id},
                )
            AgendaItem.objects.create(schema=organization.schema_name, kind=LANE, key=str(channel.pk))
            shown = {"name": name, "kind": kind, "external_id": external_id, "account_id": account_id}
            channel_health_note(channel_id=channel.pk)
            token_watch(channel=channel)
            audit_record(action="channel.created", subject=channel, new=shown)
    except IntegrityError as error:
        raise Conflict(
            "channel_taken",
            _("This address is connected already, here or in another organisation."),
            {"external_id": _("is connected already")},
        ) from error
    return channel


def _check(driver: Driver, info: ChannelInfo) -> None:
    """Raises `InvalidInput` when the driver or our own network's protection refuses the settings."""
    try:
        driver.check(info)
    except ContentError as error:
        raise content_refused(error, code="invalid_settings", message=_("These settings cannot work.")) from error
    gateway = driver.gateway_of(info)
    if gateway:
        try:
            resolve_public(gateway, allowed_networks=networks_read(settings.EGRESS_ALLOWED_NETWORKS))
        except UrlRefused as error:
            raise InvalidInput("url_not_allowed", error.message, {"gateway_url": error.message}) from error


def _routes(channel: Channel) -> list[tuple[str, str, int | None]]:
    driver = driver_of(channel.kind)
    routes: list[tuple[str, str, int | None]] = [(driver.route_kind, channel.external_id, channel.pk)]
    if channel.account_id:
        routes.append((driver.account_route_kind, channel.account_id, None))
    return routes


def channel_pause(*, channel_id: int, reason: str, by: str = "") -> bool:
    """Stop sending through the channel; queued messages wait. False when it was not connected.

    `by` is who did it, as people know them; empty: the platform, after an answer of the provider.
    """
    with transaction.atomic():
        changed = Channel.objects.filter(pk=channel_id, status=Channel.Status.CONNECTED).update(
            status=Channel.Status.PAUSED, status_reason=reason[:300], status_since=timezone.now(), status_by=by[:254]
        )
        if changed:
            channel_health_note(channel_id=channel_id)
            channel_event_publish(
                channel_id=channel_id, old_status="connected", new_status="paused", reason=reason[:300]
            )
            new = {"status": Channel.Status.PAUSED.value, "reason": reason[:300]}
            _status_record(channel_id, "channel.paused", {"status": Channel.Status.CONNECTED.value}, new)
    return bool(changed)


def channel_resume(*, channel_id: int, by: str = "") -> bool:
    """Go on sending. False when the channel was not paused."""
    with transaction.atomic():
        paused = Channel.objects.select_for_update().filter(pk=channel_id, status=Channel.Status.PAUSED).first()
        if paused is not None:
            Channel.objects.filter(pk=channel_id).update(
                status=Channel.Status.CONNECTED, status_reason="", status_since=timezone.now(), status_by=by[:254]
            )
            AgendaItem.objects.filter(schema=connection.schema_name, kind=LANE, key=str(channel_id)).update(
                due_at=timezone.now()
            )
            channel_health_note(channel_id=channel_id)
            channel_event_publish(channel_id=channel_id, old_status="paused", new_status="connected")
            old = {"status": Channel.Status.PAUSED.value, "reason": paused.status_reason}
            _status_record(channel_id, "channel.resumed", old, {"status": Channel.Status.CONNECTED.value})
    return paused is not None


def _status_record(channel_id: int, action: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    audit_record(action=action, subject=Channel.objects.only("name").get(pk=channel_id), old=old, new=new)


def channel_health_note(*, channel_id: int) -> None:
    """Tell those who watch all organisations how the channel of the current schema stands, without its lane."""
    schema = connection.schema_name
    params: dict[str, str | int | float] = {
        "schema": schema,
        "channel": channel_id,
        "outcome": "",
        "rate": 0.0,
        "sent": 0,
        "most": COUNTED,
    }
    with connection.cursor() as cursor:
        cursor.execute(statements(schema).health.decode(), params)


def channel_update(*, channel_id: int, changed: Mapping[str, Any]) -> None:
    """Change columns, and settings of the driver (`setting_<name>`); other settings, which webhooks write, stay.

    Raises `InvalidInput` for settings that cannot work.
    """
    chosen = {name.removeprefix("setting_"): value for name, value in changed.items() if name.startswith("setting_")}
    columns = {name: value for name, value in changed.items() if not name.startswith("setting_")}
    if chosen:
        # Before the transaction: the look-up of a name may take a while.
        known = Channel.objects.get(pk=channel_id)
        known.config = {**known.config, **chosen}
        _check(driver_of(known.kind), info_of(known))
    with transaction.atomic():
        channel = Channel.objects.select_for_update().get(pk=channel_id)
        old = {name: getattr(channel, name) for name in columns} | {name: channel.config.get(name) for name in chosen}
        Channel.objects.filter(pk=channel_id).update(**columns, config={**channel.config, **chosen})
        before, after = differences(old, columns | chosen)
        if after:
            audit_record(action="channel.updated", subject=channel, old=before, new=after)
        if chosen:
            # Where the token comes from is a setting.
            token_watch(channel=Channel.objects.get(pk=channel_id))


def channel_update_secrets(*, channel: Channel, secrets: Mapping[str, str]) -> None:
    """Replace the given secrets, keep the others. Raises `InvalidInput` for a name that the driver does not have."""
    driver = driver_of(channel.kind)
    unknown = set(secrets) - set(driver.secret_fields)
    if unknown:
        raise InvalidInput(
            "unknown_secret", _("This kind of channel has no such secret."), dict.fromkeys(unknown, "unknown")
        )
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        locked.secrets = {**locked.secrets, **{name: value for name, value in secrets.items() if value}}
        try:
            driver.check(info_of(locked))
        except ContentError as error:
            raise content_refused(error, code="invalid_settings", message=_("These settings cannot work.")) from error
        if secrets.get("access_token"):
            locked.token_at, locked.token_expires_at, locked.token_problem = timezone.now(), None, ""
            token_watch(channel=locked)
        locked.save(update_fields=["secrets", "token_at", "token_expires_at", "token_problem"])
        audit_record(action="channel.secrets_replaced", subject=channel, new={"names": sorted(secrets)})


def channel_token_renew(*, channel: Channel) -> None:
    """Make the secrets anew that we made ourselves, such as the token of the callback addresses."""
    names = driver_of(channel.kind).generated_secrets
    channel_update_secrets(channel=channel, secrets={name: random_secrets.token_urlsafe(32) for name in names})


def _require_schema(organization: Organization) -> None:
    if connection.schema_name != organization.schema_name:
        raise RuntimeError(f"the current schema is {connection.schema_name}, not {organization.schema_name}")
