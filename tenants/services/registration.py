"""People who come by themselves: a new organisation with its owner and a first API key, in one step."""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from tenants.errors import Conflict, Forbidden, InvalidInput, LimitReached
from tenants.models import ApiKey, Membership, Organization, User
from tenants.roles import role_allows
from tenants.services.keys import api_key_create
from tenants.services.organizations import organization_create
from tenants.services.passwords import marketing_password_rules
from tenants.services.tokens import token_create

_SLUG_LENGTH: Final = 32
_TRIES: Final = 5
_ALPHABET: Final = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Registered:
    """What came into being; `api_key` is shown once."""

    organization: Organization
    email: str
    api_key: str


def account_register(*, name: str, email: str, password: str, surface: str, scopes: Iterable[str]) -> Registered:
    """An organisation called `name` with `email` as its owner and a live key of `surface`; all of it or nothing.

    The short name is made from the name. Call it on the public schema. Raises `Conflict` email_taken, and
    `InvalidInput` whose fields are name, owner_email, owner_password.
    """
    wanted = sorted(scopes)
    with transaction.atomic():
        organization, owner = _organization_with_owner(name=name, email=email, password=password)
        _key, plain = api_key_create(
            organization=organization,
            name="First key",
            surface=surface,
            mode=ApiKey.Mode.LIVE,
            scopes=wanted,
            created_by=owner,
        )
    return Registered(organization, owner.email, plain)


def person_register(*, name: str, email: str, password: str, country: str) -> tuple[Membership, str]:
    """An organisation called after the person `name`, who owns it, and a token of the marketing API for them.

    All of it or nothing. Call it on the public schema. Raises as `account_register`.
    """
    with transaction.atomic():
        organization, owner = _organization_with_owner(
            name=name,
            email=email,
            password=password,
            owner_name=name,
            password_rules=marketing_password_rules(),
            default_country=country,
            language="fr",
        )
        membership = Membership.objects.select_related("user", "organization").get(
            user=owner, organization=organization
        )
        return membership, token_create(membership=membership)


def _organization_with_owner(*, name: str, email: str, password: str, **options: Any) -> tuple[Organization, User]:
    for attempt in range(_TRIES):
        try:
            organization = organization_create(
                name=name,
                slug=_slug(name, is_random=attempt > 0),
                owner_email=email,
                owner_password=password,
                is_new_owner=True,
                **options,
            )
            return organization, User.objects.get(email__iexact=email.strip())
        except InvalidInput as error:
            if error.code not in ("slug_taken", "slug_reserved"):
                raise
    raise Conflict(
        "slug_taken", _("No short name could be found for this name. Try another one."), {"name": _("is taken")}
    )


def user_by_password(*, request: object, email: str, password: str) -> User:
    """Who this is; too many wrong passwords lock out. Raises `Forbidden` login_failed, `LimitReached` login_locked."""
    user = authenticate(request, username=email, password=password, anywhere=True)  # type: ignore[arg-type]
    if getattr(request, "axes_locked_out", False):
        # Its middleware would answer with a web page.
        request.axes_locked_out = False  # type: ignore[attr-defined]
        text = _("Too many wrong passwords from this address. Try again later.")
        raise LimitReached("login_locked", text, retry_after=settings.AXES_COOLOFF_TIME * 3600)
    if not isinstance(user, User):
        raise Forbidden("login_failed", _("E-mail address or password are not right."))
    return user


def membership_by_password(*, request: object, email: str, password: str, slug: str = "") -> Membership:
    """The person's usable membership: in the organisation with the short name `slug`, else the one they joined last.

    Raises `Forbidden` login_failed (also for people without a usable membership there), `LimitReached` login_locked.
    """
    user = user_by_password(request=request, email=email, password=password)
    rows = Membership.objects.select_related("user", "organization").filter(
        user=user, is_suspended=False, organization__status=Organization.Status.ACTIVE
    )
    found = (rows.filter(organization__slug=slug) if slug else rows).order_by("-pk").first()
    if found is None:
        raise Forbidden("login_failed", _("E-mail address or password are not right."))
    return found


def account_by_password(
    *, request: object, email: str, password: str, account_uuid: str = ""
) -> tuple[User, Organization]:
    """Who this is, and the organisation whose API keys they may make; too many wrong passwords lock them out.

    `account_uuid` chooses among several. Raises `Forbidden` login_failed, key_creation_refused; `LimitReached`
    login_locked; `InvalidInput` account_ambiguous.
    """
    user = user_by_password(request=request, email=email, password=password)
    memberships = Membership.objects.select_related("organization").filter(
        Q(organization__status=Organization.Status.ACTIVE), user=user, is_suspended=False
    )
    if account_uuid:
        memberships = memberships.filter(organization__uuid=account_uuid)
    allowed = [
        membership.organization
        for membership in memberships.order_by("pk")
        if role_allows(role=membership.role, app_label="tenants", model="apikey", action="add")
    ]
    if not allowed:
        raise Forbidden("key_creation_refused", _("You may not make API keys there."))
    if len(allowed) > 1:
        text = _("Name one of: %(names)s.") % {
            "names": ", ".join(str(organization.uuid) for organization in allowed[:20])
        }
        raise InvalidInput("account_ambiguous", _("You belong to several accounts.") + f" {text}", {"accountId": text})
    return user, allowed[0]


def _slug(name: str, *, is_random: bool) -> str:
    """A short name out of `name`: ASCII letters, digits and dashes; with a random end when it was taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-").lstrip(string.digits + "-")[:_SLUG_LENGTH].rstrip("-")
    if is_random or len(slug) < 3:
        end = "".join(secrets.choice(_ALPHABET) for _i in range(6))
        slug = f"{slug or 'org'}-{end}"
    return slug
