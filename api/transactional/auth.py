"""X-API-Key: who calls, on which host, in which organisation's schema."""

from __future__ import annotations

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

HEADER: Final = "X-API-Key"
_CHALLENGE: Final = {"WWW-Authenticate": 'ApiKey realm="Griot", header="X-API-Key"'}


def credential_of(request: HttpRequest) -> Credential:
    """The credential of the request, with the connection switched to its organisation. Raises `Problem` (401)."""
    plain = request.META.get("HTTP_X_API_KEY", "")
    if not plain:
        raise Problem("api_key_missing", "Send your API key in the X-API-Key header.", headers=dict(_CHALLENGE))
    try:
        credential = api_key_authenticate(plain, ApiKey.Surface.TRANSACTIONAL)
    except Forbidden as error:
        raise Problem(error.code, error.message, headers=dict(_CHALLENGE)) from error
    _host_check(request, credential)
    connection.set_tenant(credential.organization)
    actor_name(kind=Kind.API_KEY, id=credential.api_key_id, label=credential.name)
    structlog.contextvars.bind_contextvars(organization=credential.organization.slug, api_key=credential.key_id)
    return credential


def _host_check(request: HttpRequest, credential: Credential) -> None:
    """Any host may be called, but an organisation's own host takes only its own keys."""
    tenant = getattr(request, "tenant", None)
    schema = getattr(tenant, "schema_name", None)
    if schema not in (None, get_public_schema_name(), credential.organization.schema_name):
        detail = "This API key does not belong to the organisation of this host."
        raise Problem("api_key_wrong_host", detail, headers=dict(_CHALLENGE))


class ApiKeyAuthentication(BaseAuthentication):
    """The same check as a Django REST framework class."""

    def authenticate(self, request: Any) -> tuple[None, Credential]:
        return None, credential_of(getattr(request, "_request", request))

    def authenticate_header(self, request: Any) -> str:
        return _CHALLENGE["WWW-Authenticate"]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the scheme reads in the OpenAPI document."""

    target_class = "api.transactional.auth.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": HEADER,
            "description": "A live or test key (admin, API keys). Test keys reach sandbox providers only.",
        }
