"""Authorization: Bearer iq_live_...: who calls, on which host, in which organisation's schema."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import structlog
from django.http import HttpRequest
from django_tenants.utils import get_public_schema_name
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication

from api.problems import Problem
from audit.actor import Kind, actor_name
from tenants.connection import connection
from tenants.errors import Forbidden
from tenants.models import ApiKey
from tenants.services.keys import Credential, api_key_authenticate

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="Griot"'}
MAX_PASSWORD: Final = 1024


def credential_of(request: HttpRequest) -> Credential:
    """The credential of the request, with the connection switched to its organisation. Raises `Problem` (401)."""
    scheme, _, plain = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        text = "Send your API key in the header Authorization: Bearer iq_live_…"
        raise Problem("api_key_missing", text, headers=dict(_CHALLENGE))
    try:
        credential = api_key_authenticate(plain.strip(), ApiKey.Surface.GATEWAY)
    except Forbidden as error:
        raise Problem(error.code, error.message, headers=dict(_CHALLENGE)) from error
    _host_check(request, credential)
    connection.set_tenant(credential.organization)
    actor_name(kind=Kind.API_KEY, id=credential.api_key_id, label=credential.name)
    structlog.contextvars.bind_contextvars(organization=credential.organization.slug, api_key=credential.key_id)
    return credential


def password_of(request: HttpRequest) -> tuple[str, str] | None:
    """(e-mail, password) of HTTP Basic (RFC 7617); None when there is none. Raises `Problem` for a broken one."""
    scheme, _, coded = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        email, colon, password = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Problem("login_failed", "The Basic credentials cannot be read.", headers=dict(_CHALLENGE)) from error
    if not colon or "\0" in email + password or len(email) + len(password) > MAX_PASSWORD:
        raise Problem("login_failed", "The Basic credentials cannot be read.", headers=dict(_CHALLENGE))
    return email, password


def _host_check(request: HttpRequest, credential: Credential) -> None:
    """Any host may be called, but an organisation's own host takes only its own keys."""
    tenant = getattr(request, "tenant", None)
    schema = getattr(tenant, "schema_name", None)
    if schema not in (None, get_public_schema_name(), credential.organization.schema_name):
        detail = "This API key does not belong to the account of this host."
        raise Problem("api_key_wrong_host", detail, headers=dict(_CHALLENGE))


class BearerAuthentication(BaseAuthentication):
    """The same check as a Django REST framework class."""

    def authenticate(self, request: Any) -> tuple[None, Credential]:
        return None, credential_of(getattr(request, "_request", request))

    def authenticate_header(self, request: Any) -> str:
        return _CHALLENGE["WWW-Authenticate"]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the scheme reads in the OpenAPI document."""

    target_class = "api.gateway.auth.BearerAuthentication"
    name = "ApiKeyAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "API Key",
            "description": "A key iq_live_… (or iq_test_…, which reaches sandbox channels only).",
        }
