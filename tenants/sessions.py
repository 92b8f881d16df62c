"""A login belongs to the host where it happened: the session names its schema, and a visit by support its record."""

from __future__ import annotations

from typing import Final

from django.contrib.auth import login
from django.http import HttpRequest
from django_tenants.utils import get_public_schema_name

from tenants.auth import SUPPORT_SESSION_KEY, membership_of
from tenants.connection import connection
from tenants.models import SupportAccess, User
from tenants.services.support import VISIT, support_access_current

SCHEMA_SESSION_KEY: Final = "tenant_schema"


def session_bind(request: HttpRequest) -> None:
    """Bind the session to the current schema; every login view calls it right after `login`."""
    request.session[SCHEMA_SESSION_KEY] = connection.schema_name


def session_open_support(request: HttpRequest, access: SupportAccess) -> None:
    """Log the super-admin of `access` in on this host, for as long as the visit lasts."""
    login(request, access.user, backend="tenants.auth.MembershipBackend")
    session_bind(request)
    request.session[SUPPORT_SESSION_KEY] = access.pk
    request.session.set_expiry(int(VISIT.total_seconds()))


def session_support(request: HttpRequest, user: User) -> SupportAccess | None:
    """The support visit that this session stands for, while it lasts."""
    access_id = request.session.get(SUPPORT_SESSION_KEY)
    if not isinstance(access_id, int):
        return None
    return support_access_current(access_id=access_id, user_id=user.pk, schema=connection.schema_name)


def session_is_valid(request: HttpRequest, user: User, access: SupportAccess | None) -> bool:
    """Whether this login may go on here: same schema as at login, and still a right to be on this host."""
    schema = connection.schema_name
    if request.session.get(SCHEMA_SESSION_KEY) != schema:
        return False
    if schema == get_public_schema_name():
        return bool(user.is_superuser)
    return access is not None or membership_of(user, schema) is not None
