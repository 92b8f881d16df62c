"""Authorization: Bearer <id>|<token>: which member calls, in which organisation's schema."""

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
from tenants.models import Membership
from tenants.services.tokens import Bearer, token_authenticate

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="Griot"'}


def bearer_of(request: HttpRequest) -> Bearer:
    """The member of the request, with the connection switched to their organisation. Raises `Problem` (401)."""
    scheme, _, plain = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        raise unauthenticated("token_missing")
    try:
        bearer = token_authenticate(plain.strip())
    except Forbidden as error:
        raise unauthenticated(error.code) from error
    _host_check(request, bearer)
    connection.set_tenant(bearer.organization)
    # An owner is the account itself, not one of its sub-accounts.
    sub_account = None if bearer.role == Membership.Role.OWNER else bearer.membership_id
    actor_name(kind=Kind.USER, id=bearer.user_id, label=bearer.email, membership_id=sub_account)
    structlog.contextvars.bind_contextvars(organization=bearer.organization.slug, member=bearer.membership_id)
    return bearer


def unauthenticated(code: str) -> Problem:
    """The 401 that says nothing of why; the code is for the log and the header."""
    return Problem(code, "", headers=dict(_CHALLENGE))


def _host_check(request: HttpRequest, bearer: Bearer) -> None:
    """Any host may be called, but an organisation's own host takes only its own members."""
    schema = getattr(getattr(request, "tenant", None), "schema_name", None)
    if schema not in (None, get_public_schema_name(), bearer.organization.schema_name):
        raise unauthenticated("token_wrong_host")


class TokenAuthentication(BaseAuthentication):
    """The same check as a Django REST framework class."""

    def authenticate(self, request: Any) -> tuple[None, Bearer]:
        return None, bearer_of(getattr(request, "_request", request))

    def authenticate_header(self, request: Any) -> str:
        return _CHALLENGE["WWW-Authenticate"]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the scheme reads in the OpenAPI document."""

    target_class = "api.marketing.auth.TokenAuthentication"
    name = "Token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "<id>|<token>",
            "description": "The token of `POST /auth/login` or `POST /auth/register`.",
        }
