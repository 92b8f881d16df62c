"""Setup links: made for a customer, found by their token, revoked; and the signed result at the end."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from messaging.models import Customer, SetupLink
from messaging.services.signup_networks import signup_network, signup_networks
from tenants.errors import Conflict, InvalidInput, NotFound
from tenants.models import Organization
from tenants.services.keys import OrganizationSnapshot
from tenants.services.organizations import customer_organizations

HOURS_MOST: Final = 720
_URL_LENGTH: Final = 2000
# The parameters that are appended to redirectUrl.
RESULT_NAMES: Final = frozenset({"channelId", "customerId", "setupLinkId", "status", "timestamp", "signature"})
# The organisation's number in base 36, so that the link is looked up in its schema, and 256 random bits.
_TOKEN: Final = re.compile(r"([0-9a-z]{1,12})-([A-Za-z0-9_-]{43})")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class NewLink:
    """A new link with what is shown once."""

    link: SetupLink
    token: str
    url: str
    signing_secret: str


def setup_link_create(
    *,
    organization: Organization | OrganizationSnapshot,
    customer: Customer,
    redirect_url: str = "",
    hours: int = 24,
    network: str = "",
    is_sandbox: bool = False,
) -> NewLink:
    """A link that connects one channel for `customer` within `hours`.

    Without Meta's configuration a development installation simulates the sign-up. Raises `InvalidInput`
    invalid_redirect, invalid_expiry, network_not_supported; `Conflict` signup_not_configured.
    """
    redirect_check(redirect_url)
    if not 1 <= hours <= HOURS_MOST:
        text = _("1 to %(most)s hours are possible") % {"most": HOURS_MOST}
        raise InvalidInput("invalid_expiry", text, {"expiresInHours": text})
    if network:
        signup_network(network, is_sandbox=True)
    configured = signup_networks(is_sandbox=False)
    if not is_sandbox and not (network in configured if network else configured):
        if settings.PRODUCTION:
            text = _(
                "Meta's sign-up needs META_APP_ID, META_APP_SECRET and the dialog's configuration: META_CONFIG_ID for "
                "WhatsApp, META_PAGE_CONFIG_ID for Messenger and Instagram."
            )
            raise Conflict("signup_not_configured", text)
        is_sandbox = True
    secret, signing = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    token = f"{_base36(organization.pk)}-{secret}"
    with transaction.atomic():
        link = SetupLink.objects.create(
            customer=customer,
            token_hash=_hash(token),
            redirect_url=redirect_url,
            network=network,
            is_network_fixed=bool(network),
            is_sandbox=is_sandbox,
            expires_at=timezone.now() + timedelta(hours=hours),
            secrets={"signing": signing},
        )
        shown = {"customer": customer.name, "network": network, "redirect_url": redirect_url, "hours": hours}
        audit_record(
            action="setup_link.created",
            subject=link,
            new={**shown, "is_sandbox": is_sandbox, "expires_at": link.expires_at},
        )
    return NewLink(link, token, f"{settings.PUBLIC_BASE_URL}/setup/{token}", signing)


def setup_link_organization(token: str) -> Organization | None:
    """The organisation that the token says it belongs to, when it can be used; None otherwise. On the public schema."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    organization: Organization | None = (
        customer_organizations().filter(pk=int(found[1], 36), status=Organization.Status.ACTIVE).first()
    )
    return organization


def setup_link_find(*, token: str) -> SetupLink:
    """The link of this token in the current schema, whatever its state. Raises `NotFound`."""
    link = SetupLink.objects.select_related("customer", "channel").filter(token_hash=_hash(token)).first()
    if link is None:
        raise NotFound("setup_link_not_found", _("There is no such setup link."))
    return link


def setup_link_state(link: SetupLink) -> str:
    """open, completed, revoked or expired."""
    if link.completed_at is not None:
        return "completed"
    if link.revoked_at is not None:
        return "revoked"
    return "expired" if link.expires_at <= timezone.now() else "open"


def setup_link_revoke(*, link: SetupLink) -> None:
    """Stop an open link at once. Raises `Conflict` setup_link_closed when it is used up, revoked or expired."""
    now = timezone.now()
    open_links = SetupLink.objects.filter(
        pk=link.pk, completed_at__isnull=True, revoked_at__isnull=True, expires_at__gt=now
    )
    with transaction.atomic():
        if not open_links.update(revoked_at=now):
            raise Conflict("setup_link_closed", _("The link is used up, revoked or expired already."))
        audit_record(
            action="setup_link.revoked",
            subject=link,
            old={"customer": link.customer.name, "state": "open"},
            new={"state": "revoked"},
        )
    link.refresh_from_db()


def redirect_check(url: str) -> None:
    """Refuse what a browser must not be sent to. Raises `InvalidInput` invalid_redirect.

    https only; a development installation also takes http on this machine. No user name, no other scheme.
    """
    if not url:
        return
    problem = ""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  reading it raises for a port that is none
    except ValueError:
        parts, problem = urlsplit(""), _("is no URL")
    if problem:
        pass
    elif len(url) > _URL_LENGTH or any(character <= " " or character in "\x7f\\" for character in url):
        problem = _("is too long or has characters that a URL cannot have")
    elif taken := sorted(RESULT_NAMES & {name for name, _value in parse_qsl(parts.query, keep_blank_values=True)}):
        problem = _("must not have parameters called %(names)s: the result is appended with these names")
        problem %= {"names": ", ".join(taken)}
    elif parts.username is not None or parts.password is not None or "@" in parts.netloc:
        problem = _("must not have a user name or password")
    elif not parts.hostname:
        problem = _("names no host")
    elif parts.scheme != "https" and not (
        parts.scheme == "http" and not settings.PRODUCTION and _is_loopback(parts.hostname)
    ):
        problem = _("must begin with https://")
    if problem:
        raise InvalidInput("invalid_redirect", f"redirectUrl {problem}.", {"redirectUrl": problem})


def redirect_result(link: SetupLink, *, status: str) -> str:
    """redirectUrl with the signed result appended; "" when the link has none.

    `signature` is HMAC-SHA256 in hex, keyed with the link's signing secret, over the other parameters that we append,
    sorted by name and URL-encoded: channelId, customerId, setupLinkId, status, timestamp.
    """
    if not link.redirect_url:
        return ""
    channel = link.channel
    result = {
        "channelId": (channel.reference or str(channel.uuid)) if channel else "",
        "customerId": str(link.customer.uuid),
        "setupLinkId": str(link.uuid),
        "status": status,
        "timestamp": str(int(timezone.now().timestamp())),
    }
    signature = result_sign(result, link.secrets["signing"])
    parts = urlsplit(link.redirect_url)
    query = "&".join(part for part in (parts.query, urlencode({**result, "signature": signature})) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def result_sign(result: Mapping[str, str], secret: str) -> str:
    """HMAC-SHA256 in hex of `result` as a URL-encoded query, sorted by name."""
    return hmac.new(secret.encode(), urlencode(sorted(result.items())).encode(), hashlib.sha256).hexdigest()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"
