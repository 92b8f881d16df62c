"""Support access: a super-admin enters an organisation's admin for an hour; who, why, when and where from is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.errors import Conflict, Forbidden, InvalidInput, NotFound
from tenants.models import Organization, SupportAccess, User
from tenants.services.addresses import organization_url

LINK_SECONDS: Final = 60
VISIT: Final = timedelta(minutes=60)


def support_access_grant(*, user: User, organization: Organization, reason: str) -> str:
    """A URL on the organisation's host that opens its admin once, within LINK_SECONDS.

    Raises Forbidden for anybody but a super-admin, InvalidInput without a reason, Conflict when the organisation is
    not active (its host does not answer then).
    """
    if not (user.is_active and user.is_superuser):
        raise Forbidden("not_allowed", _("Only super-admins can enter an organisation."))
    if not reason.strip():
        raise InvalidInput("reason_required", _("Say why; it is recorded."), {"reason": _("required")})
    if not organization.is_usable or organization.is_template:
        raise Conflict("organization_state", _("Only an active organisation can be entered."))
    token = secrets.token_urlsafe(32)
    SupportAccess.objects.create(
        user=user,
        organization=organization,
        reason=reason.strip()[:200],
        token_hash=_hash(token),
        expires_at=timezone.now() + timedelta(seconds=LINK_SECONDS),
    )
    return organization_url(organization, f"/support/{token}/")


def support_access_enter(*, token: str, organization: Organization, address: str | None) -> SupportAccess:
    """Use a link, once; the visit ends an hour from now. NotFound: unknown, used, expired or of another host."""
    now = timezone.now()
    access = (
        SupportAccess.objects.select_related("user", "organization")
        .filter(token_hash=_hash(token), organization=organization, user__is_active=True, user__is_superuser=True)
        .first()
    )
    # The guard stands in the UPDATE itself and on this table alone, so of two clicks at once only one enters.
    unused = SupportAccess.objects.filter(token_hash=_hash(token), entered_at__isnull=True, expires_at__gt=now)
    if access is None or not unused.update(entered_at=now, expires_at=now + VISIT, address=address):
        raise NotFound("support_link_invalid", _("This link has been used or has expired."))
    access.refresh_from_db()
    return access


def support_access_current(*, access_id: int, user_id: int, schema: str) -> SupportAccess | None:
    """The visit if it goes on: entered, not over, of this user and schema, and the user is still a super-admin."""
    return (
        SupportAccess.objects.select_related("organization")
        .filter(pk=access_id, user_id=user_id, organization__schema_name=schema, entered_at__isnull=False)
        .filter(expires_at__gt=timezone.now(), user__is_active=True, user__is_superuser=True)
        .filter(organization__status=Organization.Status.ACTIVE)
        .first()
    )


def support_access_end(*, access: SupportAccess) -> None:
    """End the visit now."""
    now = timezone.now()
    SupportAccess.objects.filter(pk=access.pk, expires_at__gt=now).update(expires_at=now)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
