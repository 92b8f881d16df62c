"""Sub-accounts: members who get an account with a password at once, without an invitation, and credits of their own."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from billing.services.credits import credits_limit_set
from tenants.errors import Conflict, InvalidInput
from tenants.models import Membership, Organization, User
from tenants.services.memberships import membership_create, membership_set_permissions
from tenants.services.passwords import marketing_password_rules


def sub_account_create(
    *,
    organization: Organization,
    name: str,
    email: str,
    password: str,
    role: str,
    credit_limit: int | None = None,
    permissions: Sequence[str] | None = None,
    actor_role: str | None = None,
) -> Membership:
    """A new person with an account and a membership. People who have an account already are invited instead.

    `credit_limit`: they pay from credits of their own, which come from the organisation's when those are counted; None:
    the organisation pays. Raises `InvalidInput` naming name, email, password, role, permissions or sms_credit_limit;
    `Conflict` email_taken (field email); `Forbidden`; `LimitReached` plan_limit_reached, insufficient_credits.
    """
    user = _account_checked(name, email, password)
    try:
        with transaction.atomic():
            user.save()
            membership = membership_create(organization=organization, user=user, role=role, actor_role=actor_role)
            if permissions is not None:
                membership_set_permissions(membership=membership, permissions=permissions, actor_role=actor_role)
            if credit_limit is not None:
                credits_limit_set(membership=membership, limit=credit_limit)
                membership.refresh_from_db(fields=["credit_limit"])
            return membership
    except IntegrityError as error:
        raise _taken() from error


def _account_checked(name: str, email: str, password: str) -> User:
    user = User(email=email.strip().lower(), name=name.strip())
    problems: dict[str, str] = {}
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        problems = {field: " ".join(messages) for field, messages in error.message_dict.items()}
    try:
        validate_password(password, user, password_validators=marketing_password_rules())
    except ValidationError as error:
        problems["password"] = " ".join(error.messages)
    if not user.name:
        problems["name"] = _("is required")
    if problems:
        raise InvalidInput("invalid_sub_account", _("The account cannot be made."), problems)
    if User.objects.filter(email__iexact=user.email).exists():
        raise _taken()
    user.set_password(password)
    return user


def _taken() -> Conflict:
    return Conflict(
        "email_taken", _("This e-mail address has an account already."), {"email": _("has an account already")}
    )
