"""Logins: a password opens only the site of the host, and permissions follow the membership in that organisation."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django_tenants.utils import get_public_schema_name

from tenants.connection import connection
from tenants.models import Membership, SupportAccess, User
from tenants.roles import capabilities_of, role_allows, role_allows_app

SUPPORT_SESSION_KEY = "support_access_id"


def membership_of(user: User, schema: str) -> Membership | None:
    """The user's usable membership in the organisation of `schema`, looked up once per user object and schema."""
    cache: dict[str, Membership | None] = user.__dict__.setdefault("_memberships", {})
    if schema not in cache:
        cache[schema] = (
            Membership.objects.select_related("organization")
            .filter(user=user, organization__schema_name=schema, is_suspended=False, organization__status="active")
            .first()
        )
    return cache[schema]


def role_here(user: Any) -> str | None:
    """The role on the current schema: from the membership, or owner for a super-admin who entered through support."""
    if not user.is_active or user.is_anonymous:
        return None
    # getattr, not __dict__: request.user is a lazy object whose own __dict__ is not the user's.
    support: SupportAccess | None = getattr(user, "_support_access", None)
    if support is not None and support.organization.schema_name == connection.schema_name:
        return Membership.Role.OWNER
    membership = membership_of(user, connection.schema_name)
    return membership.role if membership else None


def permissions_here(user: Any) -> list[str] | None:
    """The permissions that the member has instead of the role's; None for those of the role, and for support."""
    if getattr(user, "_support_access", None) is not None:
        return None
    membership = membership_of(user, connection.schema_name)
    return membership.permissions if membership else None


def capability_here(user: Any, name: str) -> bool:
    """Whether the person may do `name`, one of `tenants.roles.CAPABILITIES`, on the current schema."""
    role = role_here(user)
    return role is not None and name in capabilities_of(role=role, own=permissions_here(user))


def own_history_of(user: Any) -> int | None:
    """The membership whose messages are all that this person may see here; None for those who see everybody's."""
    if role_here(user) != Membership.Role.SENDER:
        return None
    membership = membership_of(user, connection.schema_name)
    return membership.pk if membership is not None else 0


class MembershipBackend(ModelBackend):
    """Checks the password, then the right to be on this host; derives permissions from the role.

    `authenticate(..., anywhere=True)` leaves the host out: for APIs, which look at the memberships themselves.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        user = super().authenticate(
            request, username=(username or kwargs.get("email") or "").strip().lower(), password=password
        )
        if not isinstance(user, User) or not (kwargs.get("anywhere") or self._may_enter(user)):
            return None
        return user

    def _may_enter(self, user: User) -> bool:
        if connection.schema_name == get_public_schema_name():
            return user.is_superuser
        return membership_of(user, connection.schema_name) is not None

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        if not user_obj.is_active:
            return False
        if connection.schema_name == get_public_schema_name():
            return bool(user_obj.is_superuser)
        role = role_here(user_obj)
        app_label, _, codename = perm.partition(".")
        action, _, model = codename.partition("_")
        return role is not None and role_allows(
            role=role, app_label=app_label, model=model, action=action, own=permissions_here(user_obj)
        )

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        if not user_obj.is_active:
            return False
        if connection.schema_name == get_public_schema_name():
            return bool(user_obj.is_superuser)
        role = role_here(user_obj)
        return role is not None and role_allows_app(role=role, app_label=app_label)

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Permissions come from the role table, never from rows; nothing to list."""
        return set()
