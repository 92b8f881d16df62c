"""From the code of Meta's sign-up to a channel, step by step: each step is stored, and goes on where it stopped.

Exchange the code (it lives for 30 seconds), inspect the token, choose the number or page, subscribe to its webhooks,
register the number, make the channel. An error stops at its step, in words; everything before it is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.dispatch.channel_state import provider_url
from messaging.drivers.base import Driver
from messaging.drivers.connecting import PAGES_DIALOG, Access, ConnectDriver, Found
from messaging.drivers.meta.app import AppAccess, build_exchange, build_inspect, read_exchange, read_inspect
from messaging.models import Channel, SetupLink
from messaging.provider_calls import provider_ask
from messaging.services.onboarding import channel_connect, driver_of_network
from messaging.services.signup_networks import signup_network
from tenants.errors import Conflict, InvalidInput, ServiceError
from tenants.models import Organization

log = structlog.get_logger(__name__)
Step = SetupLink.Step
_BUSY: Final = timedelta(seconds=120)
_LOG_LENGTH: Final = 100
_ACCOUNTS_MOST: Final = 20
_ORDER: Final = (Step.EXCHANGE, Step.INSPECT, Step.CHOOSE, Step.SUBSCRIBE, Step.REGISTER, Step.CHANNEL)


class ChoiceNeeded(Exception):
    """Several numbers or pages were granted: the person has to say which one."""


def signup_begin(
    *,
    link: SetupLink,
    organization: Organization,
    network: str,
    code: str,
    account_id: str = "",
    external_id: str = "",
    is_coexistence: bool = False,
) -> None:
    """Start, or start again, with a fresh code of Meta's dialog; goes as far as it can.

    `account_id` and `external_id` are what the dialog reported, checked against what the token really opens. Raises
    `Conflict` setup_link_closed, setup_link_busy, `InvalidInput` network_not_supported; what goes wrong at Meta is
    stored in the link's `error`.
    """
    if link.is_network_fixed and network != link.network:
        raise InvalidInput(
            "network_not_supported", _("This link is for another type of channel."), {"type": _("differs")}
        )
    signup_network(network, is_sandbox=link.is_sandbox)
    _take(link)
    link.network, link.step, link.error = network, Step.EXCHANGE, ""
    link.found = {"account_id": account_id, "external_id": external_id, "is_coexistence": is_coexistence}
    link.secrets = {"signing": link.secrets["signing"]}
    _run(link, organization, code=code)


def signup_continue(*, link: SetupLink, organization: Organization, external_id: str = "", pin: str = "") -> None:
    """Go on at the step that is next: after an error, with what was chosen, or with the number's own pin.

    Raises `Conflict` setup_link_closed, setup_link_busy, setup_login_needed, `InvalidInput` for a bad choice or pin.
    """
    if pin and not (len(pin) == 6 and pin.isascii() and pin.isdigit()):
        raise InvalidInput("invalid_pin", _("The PIN has six digits."), {"pin": _("must have six digits")})
    _take(link)
    try:
        _require_next(link, external_id)
    except ServiceError:
        _free(link)
        raise
    if external_id:
        link.found["external_id"] = external_id
    if pin:
        link.secrets = {**link.secrets, "pin": pin}
    _run(link, organization)


def _require_next(link: SetupLink, external_id: str) -> None:
    if link.step == Step.EXCHANGE:
        raise Conflict("setup_login_needed", _("Log in at Meta again: its code can be used only once."))
    if external_id and external_id not in {row["external_id"] for row in link.found.get("numbers", [])}:
        raise InvalidInput(
            "invalid_choice", _("Choose one of those that are shown."), {"externalId": _("is not offered")}
        )


def _free(link: SetupLink) -> None:
    SetupLink.objects.filter(pk=link.pk).update(busy_until=None)


def _take(link: SetupLink) -> None:
    """One at a time: of two clicks the second is refused; whoever died gives way after two minutes.

    `link` is read again: another click may have gone on since it was.
    """
    now = timezone.now()
    free = SetupLink.objects.filter(
        Q(busy_until__isnull=True) | Q(busy_until__lt=now),
        pk=link.pk,
        completed_at__isnull=True,
        revoked_at__isnull=True,
        expires_at__gt=now,
    )
    if not free.update(busy_until=now + _BUSY):
        link.refresh_from_db()
        if link.completed_at or link.revoked_at or link.expires_at <= now:
            raise Conflict("setup_link_closed", _("This link is used up, revoked or expired."))
        raise Conflict("setup_link_busy", _("This is being worked on. Wait a moment."), retry_after=2)
    link.refresh_from_db()


def _run(link: SetupLink, organization: Organization, *, code: str = "") -> None:
    """Do the steps from the next one on; stores after each, and gives the link free at the end."""
    try:
        while link.step != Step.DONE:
            try:
                _step(link, organization, code)
            except ChoiceNeeded:
                _store(link)
                return
            except ServiceError as error:
                link.error = error.message[:500]
                _note(link, error=error.message)
                _store(link)
                log.warning("signup_stopped", step=link.step, reason=error.message)
                return
    finally:
        _free(link)


def _step(link: SetupLink, organization: Organization, code: str) -> None:
    """Do the next step and store that it is done.

    The last one calls nobody else, so the channel and the end of the link are one transaction: a crash leaves both or
    neither, and a link that was revoked in the meantime makes no channel.
    """
    step = Step(link.step)
    with transaction.atomic() if step == Step.CHANNEL else nullcontext():
        if step == Step.CHANNEL:
            _require_open(link)
        _STEPS[step](link, organization, code)
        _note(link)
        link.error = ""
        link.step = _after(step)
        _store(link)


def _require_open(link: SetupLink) -> None:
    found = SetupLink.objects.select_for_update().filter(pk=link.pk, completed_at__isnull=True, revoked_at__isnull=True)
    if not found.exists():
        raise Conflict("setup_link_closed", _("This link is used up, revoked or expired."))


def _after(step: SetupLink.Step) -> SetupLink.Step:
    place = _ORDER.index(step) + 1
    return _ORDER[place] if place < len(_ORDER) else Step.DONE


def _note(link: SetupLink, *, error: str = "") -> None:
    entry = {"step": link.step, "at": timezone.now().isoformat(timespec="seconds"), "error": error[:300]}
    link.log = [*link.log, entry][-_LOG_LENGTH:]


def _store(link: SetupLink) -> None:
    if link.step == Step.DONE:
        # What could open the business's account is kept with the channel only.
        link.secrets = {"signing": link.secrets["signing"]}
        link.completed_at = timezone.now()
    link.save(update_fields=["network", "step", "error", "log", "found", "secrets", "completed_at", "channel"])


def _exchange(link: SetupLink, organization: Organization, code: str) -> None:
    token = provider_ask(build_exchange(_app(link), code), read_exchange)
    link.secrets = {**link.secrets, "token": token}


def _inspect(link: SetupLink, organization: Organization, code: str) -> None:
    facts = provider_ask(build_inspect(_app(link), link.secrets["token"]), read_inspect)
    driver, connecting = _driver(link)
    if not facts.is_valid or facts.app_id != settings.META_APP_ID:
        raise Conflict("token_refused", _("Meta's permission is not valid. Log in again."))
    missing = [scope for scope in connecting.connect_scopes if scope not in facts.scopes]
    if missing:
        text = _("These permissions were not given: %(scopes)s. Log in again and allow them.")
        raise Conflict("token_refused", text % {"scopes": ", ".join(missing)})
    link.found["accounts"] = list(connecting.accounts_granted(facts.targets))[:_ACCOUNTS_MOST]


def _choose(link: SetupLink, organization: Organization, code: str) -> None:
    """The number or page: what the dialog reported or the person chose; the only one; else the person is asked."""
    driver, connecting = _driver(link)
    accounts = link.found["accounts"]
    if link.found.get("account_id") in accounts:
        accounts = [link.found["account_id"]]
    numbers: list[Found] = []
    for account in accounts:
        read = partial(connecting.read_addresses, account_id=account)
        numbers += provider_ask(connecting.build_addresses(_access(link), account), read)
    taken = set(
        Channel.objects.filter(kind=driver.kind, external_id__in=[one.external_id for one in numbers]).values_list(
            "external_id", flat=True
        )
    )
    offered = [one for one in numbers if one.external_id not in taken]
    if not offered:
        raise Conflict("no_number", _nothing_offered(connecting, has_taken=bool(numbers)))
    wanted = link.found.get("external_id")
    chosen = next((one for one in offered if one.external_id == wanted), None)
    if chosen is None and len(offered) == 1:
        chosen = offered[0]
    if chosen is None:
        link.found["numbers"] = [{"external_id": one.external_id, "label": _label(one)} for one in offered]
        raise ChoiceNeeded
    link.found["chosen"] = asdict(chosen) | {"token": ""}
    if chosen.token:
        link.secrets = {**link.secrets, "address_token": chosen.token}


def _subscribe(link: SetupLink, organization: Organization, code: str) -> None:
    _driver_, connecting = _driver(link)
    provider_ask(connecting.build_subscribe(_access(link), _chosen(link)), connecting.read_done)


def _register(link: SetupLink, organization: Organization, code: str) -> None:
    """With a pin of our own unless the person gave the number's; numbers on a phone app are not registered."""
    found = _chosen(link)
    if link.found.get("is_coexistence") or not found.needs_registration:
        return
    if "pin" not in link.secrets:
        # Stored before it is used: what was registered with it must be known afterwards.
        link.secrets = {**link.secrets, "pin": f"{secrets.randbelow(10**6):06}"}
        link.save(update_fields=["secrets"])
    _driver_, connecting = _driver(link)
    provider_ask(connecting.build_register(_access(link), found, link.secrets["pin"]), connecting.read_done)


def _channel(link: SetupLink, organization: Organization, code: str) -> None:
    driver, _connecting = _driver(link)
    found = _chosen(link)
    channel = channel_connect(
        organization=organization,
        driver=driver,
        found=found,
        token=link.secrets["token"],
        name=found.name or link.customer.name,
        is_sandbox=link.is_sandbox,
        customer=link.customer,
    )
    if "pin" in link.secrets:
        Channel.objects.filter(pk=channel.pk).update(secrets={**channel.secrets, "pin": link.secrets["pin"]})
    link.channel = channel


_STEPS: Final[dict[SetupLink.Step, Callable[[SetupLink, Organization, str], None]]] = {
    Step.EXCHANGE: _exchange,
    Step.INSPECT: _inspect,
    Step.CHOOSE: _choose,
    Step.SUBSCRIBE: _subscribe,
    Step.REGISTER: _register,
    Step.CHANNEL: _channel,
}


def _driver(link: SetupLink) -> tuple[Driver, ConnectDriver]:
    driver = driver_of_network(link.network)
    assert isinstance(driver, ConnectDriver)
    return driver, driver


def _chosen(link: SetupLink) -> Found:
    fields: dict[str, Any] = link.found["chosen"]
    return Found(**(fields | {"token": link.secrets.get("address_token", "")}))


def _access(link: SetupLink) -> Access:
    return Access(provider_url(is_sandbox=link.is_sandbox), settings.META_GRAPH_VERSION, link.secrets["token"])


def _app(link: SetupLink) -> AppAccess:
    return AppAccess(
        provider_url(is_sandbox=link.is_sandbox),
        settings.META_GRAPH_VERSION,
        settings.META_APP_ID,
        settings.META_APP_SECRET,
    )


def _nothing_offered(connecting: ConnectDriver, *, has_taken: bool) -> str:
    if connecting.signup_dialog == PAGES_DIALOG:
        if has_taken:
            return _("Every page that you allowed is connected already. Log in again and allow another one.")
        return _("Nothing was allowed that can be connected. Log in again and allow your page with its account.")
    return _("Every number of this account is connected already.") if has_taken else _("There is no number yet.")


def _label(found: Found) -> str:
    number = f"+{found.address}" if found.address else found.external_id
    return f"{found.name} ({number})" if found.name else number
