"""Access tokens of the marketing API: `<id>|<secret>`, checked against the database at every request.

Not remembered anywhere: a suspended member, a closed organisation and a logout count from the very next request on.
The secret has 238 random bits, so its SHA-256 cannot be tried out.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from tenants.errors import Forbidden
from tenants.models import AccessToken, Membership
from tenants.roles import capabilities_of
from tenants.services.keys import LAST_USED_EVERY, OrganizationSnapshot, organization_snapshot

# Devices on which one person is logged in at once; the oldest login gives way.
TOKENS_MOST: Final = 50
_FORMAT: Final = re.compile(r"([1-9][0-9]{0,17})\|([A-Za-z0-9]{40})")
_ALPHABET: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Bearer:
    """A person whose token has been checked: which member they are, and what they may do (`scopes`)."""

    token_id: int
    membership_id: int
    user_id: int
    name: str
    email: str
    role: str
    scopes: frozenset[str]
    organization: OrganizationSnapshot

    @property
    def caller_id(self) -> int:
        """Under which number repeated requests are kept: below zero, where no id of an API key is."""
        return -self.membership_id

    @property
    def sees_own_only(self) -> bool:
        """Whether this person's history is limited to what they sent themselves."""
        return self.role == Membership.Role.SENDER


def token_create(*, membership: Membership) -> str:
    """A new token of the member, valid for ACCESS_TOKEN_DAYS; its text is not stored and cannot be shown again."""
    secret = "".join(secrets.choice(_ALPHABET) for _i in range(40))
    now = timezone.now()
    with transaction.atomic():
        own = AccessToken.objects.filter(membership=membership)
        own.filter(expires_at__lte=now).delete()
        kept = list(own.order_by("-pk").values_list("pk", flat=True)[: TOKENS_MOST - 1])
        own.exclude(pk__in=kept).delete()
        token = AccessToken.objects.create(
            membership=membership,
            secret_hash=_hash(secret),
            expires_at=now + timedelta(days=settings.ACCESS_TOKEN_DAYS),
        )
        schema = membership.organization.schema_name
        audit_record(action="auth.login", subject=membership, new={"email": membership.user.email}, schema=schema)
    return f"{token.pk}|{secret}"


def token_authenticate(plain: str) -> Bearer:
    """Who calls with this token. Raises `Forbidden` token_unknown, also for a suspended member or organisation."""
    found = _FORMAT.fullmatch(plain)
    rows = AccessToken.objects.select_related("membership__user", "membership__organization")
    token = rows.filter(pk=int(found[1])).first() if found else None
    # Compared even for an unknown id, so that the time says nothing.
    stored = token.secret_hash if token else "0" * 64
    is_right = secrets.compare_digest(_hash(found[2] if found else ""), stored)
    if token is None or not is_right or token.expires_at <= timezone.now() or not _is_usable(token.membership):
        raise Forbidden("token_unknown", _("This token does not work here."))
    _last_used_record(token)
    return _bearer(token)


def token_revoke(*, token_id: int) -> None:
    """Log out: the token stops at once."""
    with transaction.atomic():
        token = AccessToken.objects.select_related("membership__organization").filter(pk=token_id).first()
        if token is not None:
            schema = token.membership.organization.schema_name
            audit_record(action="auth.logout", subject=token.membership, schema=schema)
            token.delete()


def tokens_revoke(*, membership: Membership) -> int:
    """Log the member out everywhere; returns how many tokens there were."""
    with transaction.atomic():
        revoked = AccessToken.objects.filter(membership=membership).delete()[0]
        if revoked:
            schema = membership.organization.schema_name
            audit_record(action="auth.revoked", subject=membership, new={"logins": revoked}, schema=schema)
    return revoked


def _is_usable(membership: Membership) -> bool:
    return not membership.is_suspended and membership.user.is_active and membership.organization.is_usable


def _bearer(token: AccessToken) -> Bearer:
    membership = token.membership
    return Bearer(
        token_id=token.pk,
        membership_id=membership.pk,
        user_id=membership.user_id,
        name=membership.user.name,
        email=membership.user.email,
        role=membership.role,
        scopes=capabilities_of(role=membership.role, own=membership.permissions),
        organization=organization_snapshot(membership.organization),
    )


def _last_used_record(token: AccessToken) -> None:
    due = timezone.now() - LAST_USED_EVERY
    if token.last_used_at is None or token.last_used_at <= due:
        unwritten = Q(last_used_at__isnull=True) | Q(last_used_at__lte=due)
        AccessToken.objects.filter(unwritten, pk=token.pk).update(last_used_at=timezone.now())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
