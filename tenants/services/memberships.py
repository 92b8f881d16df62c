"""Who belongs to an organisation and as what; invitations by e-mail.

`actor_role` is the role of the person who asks, None for a super-admin or the system: only owners and administrators
manage members, and only owners make, change or remove owners. Every organisation keeps at least one usable owner.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from tenants.errors import Conflict, Forbidden, InvalidInput, NotFound
from tenants.models import Invitation, Membership, Organization, User
from tenants.roles import PERMISSIONS
from tenants.services.addresses import organization_url
from tenants.services.plans import limit_check
from webhooks_app.services.events import event_publish

INVITATION_DAYS: Final = 7
_MANAGERS: Final = frozenset({Membership.Role.OWNER, Membership.Role.ADMIN})


def membership_create(
    *, organization: Organization, user: User, role: str, actor_role: str | None = None
) -> Membership:
    """Make `user` a member. Conflict `already_member`, Forbidden, LimitReached when the plan has no seat left."""
    _allow(actor_role, role)
    with transaction.atomic():
        limit_check(organization=organization, what="users")
        return _membership_insert(organization, user, role)


def membership_change_role(*, membership: Membership, role: str, actor_role: str | None = None) -> Membership:
    """Give the member another role. Conflict `last_owner` when nobody else owns the organisation."""
    _allow(actor_role, role, membership.role)
    with transaction.atomic():
        current = _locked(membership)
        _allow(actor_role, role, current.role)
        if role != Membership.Role.OWNER:
            _keep_an_owner(current)
        Membership.objects.filter(pk=current.pk).update(role=role)
        _audit("role_changed", current, old={"role": current.role}, new={"role": role})
    membership.refresh_from_db()
    return membership


def membership_suspend(*, membership: Membership, actor_role: str | None = None) -> Membership:
    """Lock the member out at their next request; Conflict `last_owner` for the only owner."""
    with transaction.atomic():
        current = _locked(membership)
        _allow(actor_role, current.role)
        _keep_an_owner(current)
        if Membership.objects.filter(pk=current.pk, is_suspended=False).update(is_suspended=True):
            current.is_suspended = True
            _audit("suspended", current)
            _tell("sub_account.suspended", current)
    membership.refresh_from_db()
    return membership


def membership_resume(*, membership: Membership, actor_role: str | None = None) -> Membership:
    """Let a suspended member in again, if the plan has a seat."""
    with transaction.atomic():
        current = _locked(membership)
        _allow(actor_role, current.role)
        if current.is_suspended:
            limit_check(organization=current.organization, what="users")
            Membership.objects.filter(pk=current.pk).update(is_suspended=False)
            _audit("activated", current)
    membership.refresh_from_db()
    return membership


def membership_remove(*, membership: Membership, actor_role: str | None = None) -> None:
    """End the membership; the account stays. Conflict `last_owner` for the only owner."""
    with transaction.atomic():
        current = _locked(membership)
        _allow(actor_role, current.role)
        _keep_an_owner(current)
        _audit("removed", current, old={"email": current.user.email, "role": current.role})
        current.delete()


def membership_get(*, organization_id: int, membership_id: int) -> Membership:
    """One member of the organisation. Raises `NotFound`, also for one of another organisation."""
    found = (
        Membership.objects.select_related("user", "organization")
        .filter(pk=membership_id, organization_id=organization_id)
        .first()
    )
    if found is None:
        raise NotFound("sub_account_not_found", _("There is no such member."))
    return found


def membership_set_permissions(
    *, membership: Membership, permissions: Sequence[str] | None, actor_role: str | None = None
) -> Membership:
    """Give the member permissions of their own in place of the role's; None: those of the role again.

    Raises `InvalidInput` for an unknown one, `Forbidden`, and `Conflict` owner_has_all for an owner.
    """
    wanted = None if permissions is None else sorted(set(permissions))
    unknown = sorted(set(wanted or ()) - PERMISSIONS.keys())
    if unknown:
        text = _("unknown: %(unknown)s; known: %(known)s") % {
            "unknown": ", ".join(unknown[:5]),
            "known": ", ".join(PERMISSIONS),
        }
        raise InvalidInput("invalid_permissions", _("There is no such permission."), {"permissions": text})
    with transaction.atomic():
        current = _locked(membership)
        _allow(actor_role, current.role)
        if current.role == Membership.Role.OWNER:
            raise Conflict(
                "owner_has_all", _("An owner always has all permissions."), {"permissions": _("is an owner")}
            )
        if wanted != current.permissions:
            Membership.objects.filter(pk=current.pk).update(permissions=wanted)
            _audit("permissions_changed", current, {"permissions": current.permissions}, {"permissions": wanted})
    membership.refresh_from_db()
    return membership


def invitation_create(
    *, organization: Organization, email: str, role: str, invited_by: User | None, actor_role: str | None = None
) -> Invitation:
    """Invite by e-mail, for INVITATION_DAYS; an open invitation to the same address is replaced.

    The token is in the mail only. Raises InvalidInput, Conflict `already_member`, Forbidden, LimitReached.
    """
    _allow(actor_role, role)
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidInput(
            "invalid_email", _("This is not an e-mail address."), {"email": error.messages[0]}
        ) from error
    if Membership.objects.filter(organization=organization, user__email__iexact=address).exists():
        raise Conflict("already_member", _("This person is a member already."), {"email": _("already a member")})
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        Invitation.objects.filter(organization=organization, email__iexact=address, accepted_at__isnull=True).delete()
        limit_check(organization=organization, what="users")
        invitation = Invitation.objects.create(
            organization=organization,
            email=address,
            role=role,
            token_hash=_hash(token),
            invited_by=invited_by,
            expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
        )
        audit_record(
            action="invitation.created",
            subject=invitation,
            new={"email": address, "role": role},
            schema=organization.schema_name,
        )
        transaction.on_commit(partial(_invitation_mail, invitation, token))
    return invitation


def invitation_find(*, token: str, organization: Organization) -> Invitation:
    """The open invitation of `token` in this organisation. InvalidInput `invitation_invalid` when there is none."""
    invitation = (
        Invitation.objects.select_related("organization")
        .filter(token_hash=_hash(token), organization=organization)
        .filter(accepted_at__isnull=True, expires_at__gt=timezone.now())
        .first()
    )
    if invitation is None:
        raise _invitation_invalid()
    return invitation


def invitation_accept(
    *, token: str, organization: Organization, name: str = "", password: str | None = None
) -> Membership:
    """Take up an invitation, once. A person without an account gets one with `password`; others keep theirs.

    Raises InvalidInput `invitation_invalid` (unknown, used, expired) or `invalid_password`, Conflict `already_member`.
    """
    with transaction.atomic():
        invitation = invitation_find(token=token, organization=organization)
        claimed = Invitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True).update(
            accepted_at=timezone.now()
        )
        if not claimed:
            raise _invitation_invalid()
        # The invitation held the seat; it is taken over now, so there is nothing to check against the plan.
        return _membership_insert(organization, _account(invitation.email, name, password), invitation.role)


def _account(email: str, name: str, password: str | None) -> User:
    existing = User.objects.filter(email__iexact=email).first()
    if existing is not None:
        return existing
    user = User(email=email, name=name.strip()[:120])
    try:
        validate_password(password or "", user)
    except ValidationError as error:
        raise InvalidInput("invalid_password", " ".join(error.messages), {"password": error.messages[0]}) from error
    return User.objects.create_user(email, password, name=user.name)


def _membership_insert(organization: Organization, user: User, role: str) -> Membership:
    if role not in Membership.Role.values:
        raise InvalidInput("invalid_role", _("There is no such role."), {"role": _("unknown")})
    try:
        with transaction.atomic():
            membership = Membership.objects.create(organization=organization, user=user, role=role)
            _audit("created", membership, new={"email": user.email, "role": role})
            _tell("sub_account.created", membership)
            return membership
    except IntegrityError as error:
        raise Conflict("already_member", _("This person is a member already.")) from error


def _audit(
    what: str, membership: Membership, old: dict[str, Any] | None = None, new: dict[str, Any] | None = None
) -> None:
    schema = membership.organization.schema_name
    audit_record(action=f"sub_account.{what}", subject=membership, old=old, new=new, schema=schema)


def membership_payload(membership: Membership) -> dict[str, Any]:
    """A member as events tell of them."""
    return {
        "id": str(membership.user.uuid),
        "number": membership.pk,
        "name": membership.user.name,
        "email": membership.user.email,
        "role": membership.role,
        "status": "suspended" if membership.is_suspended else "active",
    }


def _tell(type: str, membership: Membership) -> None:
    event_publish(
        type=type,
        data={"sub_account": membership_payload(membership)},
        key=f"member-{membership.pk}",
        schema=membership.organization.schema_name,
    )


def _allow(actor_role: str | None, *roles: str) -> None:
    """`roles`: those that the change touches, before and after."""
    unknown = [role for role in roles if role not in Membership.Role.values]
    if unknown:
        raise InvalidInput("invalid_role", _("There is no such role."), {"role": _("unknown")})
    if actor_role is None or actor_role == Membership.Role.OWNER:
        return
    if actor_role not in _MANAGERS:
        raise Forbidden("not_allowed", _("Only owners and administrators manage members."))
    if Membership.Role.OWNER in roles:
        raise Forbidden("owners_only", _("Only an owner can make, change or remove an owner."))


def _locked(membership: Membership) -> Membership:
    """The row as it is now, with the organisation locked: two owners cannot remove each other at once."""
    Organization.objects.select_for_update(no_key=True).get(pk=membership.organization_id)
    return Membership.objects.select_related("organization", "user").get(pk=membership.pk)


def _keep_an_owner(membership: Membership) -> None:
    if membership.role != Membership.Role.OWNER or membership.is_suspended:
        return
    others = Membership.objects.filter(
        organization_id=membership.organization_id, role=Membership.Role.OWNER, is_suspended=False, user__is_active=True
    )
    if not others.exclude(pk=membership.pk).exists():
        raise Conflict("last_owner", _("This is the organisation's last owner: make somebody else an owner first."))


def _invitation_invalid() -> InvalidInput:
    return InvalidInput("invitation_invalid", _("This invitation has been used, has expired, or never existed."))


def _invitation_mail(invitation: Invitation, token: str) -> None:
    organization = invitation.organization
    link = organization_url(organization, f"/invitation/{token}/")
    with translation.override(organization.language):
        subject = _("Invitation to %(organization)s") % {"organization": organization.name}
        body = _(
            "You are invited to join %(organization)s on Griot.\n\n"
            "Accept within %(days)d days: %(link)s\n\n"
            "If you do not know why you received this, ignore it."
        ) % {"organization": organization.name, "days": INVITATION_DAYS, "link": link}
    send_mail(subject, body, None, [invitation.email])


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
