"""The organisation of a request, and the right of a session to be on its host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name

from tenants.connection import connection
from tenants.models import Organization
from tenants.services.hosts import organization_of_host
from tenants.sessions import session_is_valid, session_support

GetResponse = Callable[[HttpRequest], HttpResponse]


class TenantMiddleware:
    """Sets `request.tenant`, `request.urlconf` and the connection's schema from the host.

    - The connection goes back to the public schema first, whatever the previous request left.
    - On credential paths (the published APIs, webhooks, health) the organisation comes from the credential: the
      connection stays on public, and `request.tenant` is the host's organisation for comparison, or None on an unknown
      host. A suspended or deleted organisation's host is not refused here: its keys are.
    - Elsewhere an unknown or deleted host gets a plain 404, a suspended one a plain 403; neither says more.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        connection.set_schema_to_public()
        # get_host refuses what ALLOWED_HOSTS does not know; Django turns that into a 400.
        tenant = organization_of_host(_host_name(request.get_host()))
        by_credential = request.path_info.startswith(settings.CREDENTIAL_PATHS)
        if tenant is None and not by_credential:
            return _plain_page(request, 404)
        is_public = tenant is None or tenant.schema_name == get_public_schema_name()
        request.tenant = tenant  # type: ignore[attr-defined]
        request.urlconf = settings.PUBLIC_SCHEMA_URLCONF if is_public else settings.ROOT_URLCONF
        if tenant is not None and not is_public:
            structlog.contextvars.bind_contextvars(organization=tenant.slug)
            if not by_credential:
                if not tenant.is_usable:
                    return _plain_page(request, 403 if tenant.status == Organization.Status.SUSPENDED else 404)
                connection.set_tenant(tenant)
        return self.get_response(request)


class SessionTenantMiddleware:
    """Logs out, at the next request, whoever has no right to be here any more; sets `request.support_access`.

    That is: a session of another host, a membership that was removed or suspended, a super-admin who no longer is one,
    a support visit that is over. Credential paths do not read the session at all.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.support_access = None  # type: ignore[attr-defined]
        if not request.path_info.startswith(settings.CREDENTIAL_PATHS):
            self._check(request)
        return self.get_response(request)

    def _check(self, request: HttpRequest) -> None:
        user: Any = request.user
        if not user.is_authenticated:
            return
        access = session_support(request, user)
        if not session_is_valid(request, user, access):
            logout(request)
            return
        # Read by tenants.auth.role_here: support acts as an owner.
        user._support_access = access
        request.support_access = access  # type: ignore[attr-defined]


def _host_name(host: str) -> str:
    """Without the port; an IPv6 address keeps its brackets."""
    return host if host.endswith("]") else host.rsplit(":", 1)[0] if ":" in host else host


def _plain_page(request: HttpRequest, status: int) -> HttpResponse:
    text = _("This site is suspended.") if status == 403 else _("There is nothing at this address.")
    body = render_to_string("tenants/unavailable.html", {"text": text, "status": status})
    return HttpResponse(body, status=status)
