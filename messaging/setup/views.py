"""The hosted page on which a vendor's customer connects a channel, and the calls that its script makes.

The token in the address is the credential: there is no session and no cookie that another site could ride on.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from config.reasons import reason_said
from messaging.drivers.connecting import PAGES_DIALOG
from messaging.models import SetupLink
from messaging.services.setup_links import (
    redirect_result,
    setup_link_find,
    setup_link_organization,
    setup_link_state,
)
from messaging.services.signup import signup_begin
from messaging.services.signup import signup_continue as signup_go_on
from messaging.services.signup_networks import signup_networks
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput, NotFound, ServiceError
from tenants.models import Organization

_BODY_BYTES: Final = 16_384
_COLOR: Final = "#128361"
_META_ORIGINS: Final = ("https://www.facebook.com", "https://web.facebook.com")
_SDK: Final = "https://connect.facebook.net"
View = Callable[[HttpRequest, Organization, SetupLink], HttpResponse]


def _with_link(view: View) -> Callable[..., HttpResponse]:
    """Enter the link's organisation and choose the language; an unknown token is a plain 404, whoever it is of."""

    @never_cache
    @csrf_exempt
    @wraps(view)
    def inner(request: HttpRequest, token: str) -> HttpResponse:
        organization = setup_link_organization(token)
        language = _language(request, organization)
        with translation.override(language):
            if organization is None:
                return _closed(request, 404, _("This link does not exist."))
            connection.set_tenant(organization)
            try:
                link = setup_link_find(token=token)
            except NotFound:
                return _closed(request, 404, _("This link does not exist."))
            return view(request, organization, link)

    return inner


@require_GET
@_with_link
def setup_page(request: HttpRequest, organization: Organization, link: SetupLink) -> HttpResponse:
    """The page; a link that is used up, revoked or expired says so."""
    state = setup_link_state(link)
    if state in ("revoked", "expired"):
        ended = _("This link has expired.") if state == "expired" else _("This link was revoked.")
        ask = _("Ask for a new one.")
        return _closed(request, 410, f"{ended} {ask}", organization)
    nonce = secrets.token_urlsafe(16)
    context = {
        "organization": organization,
        "customer": link.customer,
        "color": organization.brand_color or _COLOR,
        "ink": _ink(organization.brand_color or _COLOR),
        "nonce": nonce,
        "languages": [(code, translation.get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES],
        "setup": _setup(request, link),
        "is_live": not link.is_sandbox,
    }
    response = render(request, "setup/page.html", context)
    return _protected(response, nonce, is_live=not link.is_sandbox)


@require_POST
@_with_link
def setup_connect(request: HttpRequest, organization: Organization, link: SetupLink) -> HttpResponse:
    """The dialog has ended: its code, and what it reported."""

    def begin(given: dict[str, Any]) -> None:
        code = given.get("code")
        if not isinstance(code, str) or not 1 <= len(code) <= 2000:
            raise InvalidInput("code_missing", _("Meta's answer has no code. Try again."), {"code": _("is required")})
        signup_begin(
            link=link,
            organization=organization,
            network=_short(given, "network"),
            code=code,
            account_id=_short(given, "accountId"),
            external_id=_short(given, "externalId"),
            is_coexistence=given.get("isCoexistence") is True,
        )

    return _act(request, link, begin)


@require_POST
@_with_link
def setup_continue(request: HttpRequest, organization: Organization, link: SetupLink) -> HttpResponse:
    """Try the step again, with the number or page that was chosen or the pin that was entered."""

    def go_on(given: dict[str, Any]) -> None:
        signup_go_on(
            link=link, organization=organization, external_id=_short(given, "externalId"), pin=_short(given, "pin")
        )

    return _act(request, link, go_on)


@require_POST
@_with_link
def setup_cancel(request: HttpRequest, organization: Organization, link: SetupLink) -> HttpResponse:
    """Where the person goes who does not want to connect anything now; the link stays open."""
    if setup_link_state(link) != "open":
        text = _("This link is used up, revoked or expired.")
        return JsonResponse({"problem": text, "state": _state(link)}, status=409)
    return JsonResponse({"redirect": redirect_result(link, status="cancelled")})


def _act(request: HttpRequest, link: SetupLink, run: Callable[[dict[str, Any]], None]) -> HttpResponse:
    try:
        run(_body(request))
    except ServiceError as error:
        status = 409 if isinstance(error, Conflict) else 422
        link.refresh_from_db()
        return JsonResponse({"problem": reason_said(error.message), "state": _state(link)}, status=status)
    return JsonResponse({"state": _state(link)})


def _state(link: SetupLink) -> dict[str, Any]:
    """How far it got, as the script shows it."""
    channel = link.channel
    return {
        "step": link.step,
        "network": link.network,
        "steps": _steps(link),
        "started": bool(link.log),
        # Of our own in the language of whoever was there; what drivers say of Meta's answers is English.
        "error": reason_said(link.error),
        "numbers": link.found.get("numbers", []) if link.step == SetupLink.Step.CHOOSE else [],
        "isDone": link.step == SetupLink.Step.DONE,
        "channel": f"{channel.name}{f' (+{channel.address})' if channel.address else ''}" if channel else "",
        "redirect": redirect_result(link, status="connected") if link.step == SetupLink.Step.DONE else "",
    }


def _steps(link: SetupLink) -> list[dict[str, Any]]:
    """The steps in words, and which are done; pages are chosen where numbers are, and are not registered."""
    step = SetupLink.Step
    names: dict[str, Any] = {one: one.label for one in step if one != step.DONE}
    if _is_of_page(link):
        names[step.CHOOSE] = _("Choose the page")
        del names[step.REGISTER]
    order = list(step)
    done = order.index(step(link.step))
    return [{"name": str(label), "done": order.index(step(one)) < done} for one, label in names.items()]


def _is_of_page(link: SetupLink) -> bool:
    network = signup_networks(is_sandbox=True).get(link.network)
    return network is not None and network.dialog == PAGES_DIALOG


def _setup(request: HttpRequest, link: SetupLink) -> dict[str, Any]:
    """What the script needs; read from a JSON block of the page."""
    offered = signup_networks(is_sandbox=link.is_sandbox)
    wanted = [link.network] if link.is_network_fixed else list(offered)
    sandbox = urlsplit(settings.SANDBOX_URL)
    return {
        "url": request.path,
        "networks": [
            {"id": one.network, "label": one.label, "dialog": one.dialog, "configId": one.config_id}
            for one in (offered[network] for network in wanted if network in offered)
        ],
        "sandboxDialog": f"{settings.SANDBOX_URL}/dialog/signup" if link.is_sandbox else "",
        "origins": [f"{sandbox.scheme}://{sandbox.netloc}"] if link.is_sandbox else list(_META_ORIGINS),
        "appId": settings.META_APP_ID,
        "version": settings.META_GRAPH_VERSION,
        "hasRedirect": bool(link.redirect_url),
        "state": _state(link),
        "texts": {
            "working": _("One moment…"),
            "cancelled": _("You closed the window before it was finished. Try again when you are ready."),
            "noCode": _("Meta's answer has no code. Try again."),
            "blocked": _("Your browser has blocked the window. Allow pop-ups for this page and try again."),
            "offline": _("The server cannot be reached. Check your connection and try again."),
            "sdk": _("Meta's script could not be loaded. An ad blocker may stop it."),
            "connect": _("Connect %s"),
            "retry": _("Try again"),
            "choose": {
                "whatsapp": _("Which number do you want to connect?"),
                "pages": _("Which one do you want to connect?"),
            },
            "use": {"whatsapp": _("Use this number"), "pages": _("Use this one")},
            "again": _("Log in at Meta again"),
            "done": _("Connected"),
            "doneText": _("%s is connected. You can close this page."),
            "leaving": _("You are being taken back."),
            "pin": _("The number's six-digit PIN, if it has one already"),
        },
    }


def _body(request: HttpRequest) -> dict[str, Any]:
    if len(request.body) > _BODY_BYTES:
        raise InvalidInput("body_too_large", _("This is too much."))
    try:
        given = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError as error:
        raise InvalidInput("invalid_json", _("This cannot be read.")) from error
    if not isinstance(given, dict):
        raise InvalidInput("invalid_json", _("This cannot be read."))
    return given


def _short(given: dict[str, Any], name: str) -> str:
    """A short text, "" when it is missing. Raises `InvalidInput`."""
    value = given.get(name) or ""
    if not isinstance(value, str) or len(value) > 64 or "\x00" in value:
        raise InvalidInput("invalid_value", _("This cannot be read."), {name: _("must be a short text")})
    return value


def _language(request: HttpRequest, organization: Organization | None) -> str:
    """What the person asked for, what the browser prefers, what the organisation speaks."""
    known = dict(settings.LANGUAGES)
    asked = request.GET.get("lang", "")
    if asked in known:
        return asked
    if request.META.get("HTTP_ACCEPT_LANGUAGE"):
        return translation.get_language_from_request(request)
    return organization.language if organization else settings.LANGUAGE_CODE


def _ink(color: str) -> str:
    """Black or white, whichever reads better on `color` (WCAG 2: relative luminance)."""
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#ffffff"


def _closed(request: HttpRequest, status: int, text: str, organization: Organization | None = None) -> HttpResponse:
    nonce = secrets.token_urlsafe(16)
    color = (organization.brand_color if organization else "") or _COLOR
    context = {"organization": organization, "text": text, "color": color, "ink": _ink(color), "nonce": nonce}
    return _protected(render(request, "setup/closed.html", context, status=status), nonce, is_live=False)


def _protected(response: HttpResponse, nonce: str, *, is_live: bool) -> HttpResponse:
    """What the browser may load here: our own files, and Meta's script where it is needed."""
    meta = " ".join(_META_ORIGINS)
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' {_SDK}" if is_live else "'self'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": f"'self' data: {meta}" if is_live else "'self' data:",
        "connect-src": f"'self' {meta} https://graph.facebook.com" if is_live else "'self'",
        "frame-src": meta if is_live else "'none'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    response["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    # The dialog is a window of another site that has to find this one again.
    response["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"
    # The address holds the token.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex"
    return response
