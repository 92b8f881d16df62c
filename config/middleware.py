"""Request id, log context, who acts, and the client's address behind our own proxies."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from audit.actor import Actor, Kind, actor_bound
from tenants.auth import membership_of
from tenants.connection import connection
from tenants.models import User

_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{8,128}")


def client_address(request: HttpRequest) -> str:
    """The client's address: X-Forwarded-For is believed only as far as TRUSTED_PROXIES of our own proxies wrote it."""
    remote = str(request.META.get("REMOTE_ADDR") or "127.0.0.1")
    if settings.TRUSTED_PROXIES == 0:
        return remote
    chain = [item.strip() for item in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if item.strip()]
    return chain[-settings.TRUSTED_PROXIES] if len(chain) >= settings.TRUSTED_PROXIES else remote


class RequestContextMiddleware:
    """Takes or makes the request id, binds it to the logs and returns it as X-Request-Id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        actor = Actor(
            address=client_address(request), agent=request.META.get("HTTP_USER_AGENT", ""), request_id=request_id
        )
        with actor_bound(actor, partial(_person, request)):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


def _person(request: HttpRequest, actor: Actor) -> Actor:
    """Who has logged in, asked when something is recorded: reading the session of every request would cost a query."""
    user: Any = getattr(request, "user", None)
    if not isinstance(user, User):
        return actor
    if getattr(user, "_support_access", None) is not None:
        return replace(actor, kind=Kind.SUPPORT, id=user.pk, label=user.email)
    membership = membership_of(user, connection.schema_name)
    return replace(
        actor, kind=Kind.USER, id=user.pk, label=user.email, membership_id=membership.pk if membership else None
    )
