"""A channel from a token that somebody already has: asked at the provider first, stored only when it works."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.dispatch.channel_state import provider_url
from messaging.drivers.base import Driver
from messaging.drivers.connecting import Access, ConnectDriver, Found
from messaging.drivers.registry import drivers
from messaging.models import Channel, Customer
from messaging.provider_calls import provider_ask
from messaging.services.channels import channel_create
from messaging.services.templates import templates_watch
from tenants.errors import Conflict, InvalidInput, ServiceError
from tenants.models import Organization

_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
# How far the provider's clock, which tells whole seconds, may be behind ours.
_CLOCKS: Final = timedelta(seconds=5)
# Tokens of the sandbox; it gives out no others.
SANDBOX_TOKEN: Final = "sandbox"  # noqa: S105  a prefix, not a secret


def driver_of_network(network: str) -> Driver:
    """The driver of WHATSAPP, FACEBOOK or INSTAGRAM. Raises `InvalidInput` network_not_supported."""
    for driver in drivers().values():
        if driver.network == network and isinstance(driver, ConnectDriver):
            return driver
    text = _("Channels of %(network)s cannot be connected here.") % {"network": network}
    raise InvalidInput("network_not_supported", text, {"type": _("cannot be connected here")})


def channel_onboard(
    *,
    organization: Organization,
    network: str,
    reference: str | None,
    name: str,
    token: str,
    account_id: str = "",
    external_id: str = "",
    customer: Customer | None = None,
) -> Channel:
    """Connect an address with a token: the provider is asked whether the token opens it, then the channel is made.

    Tokens that begin with `sandbox` connect to the sandbox. Without `external_id` the account's only address is taken.
    Not inside a transaction. Raises `InvalidInput` (fields id, phoneId, wabaId, systemUserAccessToken) and `Conflict`
    reference_taken, channel_taken, provider_busy, provider_unreachable.
    """
    _reference_check(reference)
    driver = driver_of_network(network)
    is_sandbox = token.startswith(SANDBOX_TOKEN)
    access = Access(provider_url(is_sandbox=is_sandbox), settings.META_GRAPH_VERSION, token)
    try:
        found = address_find(driver=driver, access=access, account_id=account_id, external_id=external_id)
        if found.account_id:
            provider_ask(_connecting(driver).build_subscribe(access, found), _connecting(driver).read_done)
    except ServiceError as error:
        raise _token_refused(error) from error
    return channel_connect(
        organization=organization,
        driver=driver,
        found=found,
        token=token,
        name=name,
        is_sandbox=is_sandbox,
        reference=reference,
        customer=customer,
    )


def address_find(*, driver: Driver, access: Access, account_id: str, external_id: str) -> Found:
    """The address that is meant: among the account's when that is known, else by itself."""
    connecting = _connecting(driver)
    if not account_id and not external_id:
        raise InvalidInput("address_missing", _("Say which address it is."), {"phoneId": _("or wabaId is required")})
    if not account_id:
        found = provider_ask(connecting.build_lookup(access, external_id), connecting.read_lookup)
        return replace(found, external_id=external_id)
    addresses = provider_ask(
        connecting.build_addresses(access, account_id), lambda answer: connecting.read_addresses(answer, account_id)
    )
    if external_id:
        for found in addresses:
            if found.external_id == external_id:
                return found
        # An account may list an address late; asked by itself the token must open it.
        found = provider_ask(connecting.build_lookup(access, external_id), connecting.read_lookup)
        return replace(found, external_id=external_id, account_id=account_id)
    if len(addresses) != 1:
        listed = ", ".join(found.external_id for found in addresses[:20])
        text = _("This account has %(count)s addresses: name one. %(addresses)s")
        text = (text % {"count": len(addresses), "addresses": listed}).rstrip()
        raise InvalidInput("address_missing", text, {"phoneId": text})
    return addresses[0]


def channel_connect(
    *,
    organization: Organization,
    driver: Driver,
    found: Found,
    token: str,
    name: str,
    is_sandbox: bool,
    reference: str | None = None,
    customer: Customer | None = None,
) -> Channel:
    """The channel of an address that was found, with its customer; its templates are read in the background.

    Raises `Conflict` reference_taken, channel_taken, `LimitReached` for the plan.
    """
    known = {
        "reference": reference,
        "customer": customer,
        "quality_rating": found.quality[:10],
        # Asked just now, so older news about it change nothing.
        "quality_at": timezone.now() - _CLOCKS if found.quality else None,
    }
    with transaction.atomic():
        channel = channel_create(
            organization=organization,
            name=(name or found.name or found.address or found.external_id)[:80],
            kind=driver.kind,
            external_id=found.external_id,
            account_id=found.account_id,
            address=found.address,
            secrets={"access_token": found.token or token},
            is_sandbox=is_sandbox,
        )
        try:
            with transaction.atomic():
                Channel.objects.filter(pk=channel.pk).update(**known)
        except IntegrityError as error:
            text = _("Another channel has this id.")
            raise Conflict("reference_taken", text, {"id": _("belongs to another channel")}) from error
        channel.refresh_from_db()
        templates_watch(channel=channel)
    return channel


def _connecting(driver: Driver) -> ConnectDriver:
    if not isinstance(driver, ConnectDriver):
        raise TypeError(f"driver {driver.kind} connects nothing")
    return driver


def _reference_check(reference: str | None) -> None:
    if reference is None:
        return
    problem = ""
    if not _REFERENCE.fullmatch(reference):
        problem = _("must have 1 to 64 letters, digits, dots, dashes, underscores or colons")
    else:
        try:
            uuid.UUID(reference)
        except ValueError:
            return
        problem = _("must not be a UUID: those are our own ids")
    text = _("The id %(problem)s.") % {"problem": problem}
    raise InvalidInput("invalid_reference", text, {"id": problem})


def _token_refused(error: ServiceError) -> ServiceError:
    """A token that is refused is a wrong value of the caller here, not a channel that has to be mended."""
    if error.code in ("channel_refused", "provider_refused"):
        return InvalidInput("token_refused", error.message, {"systemUserAccessToken": error.message})
    return error
