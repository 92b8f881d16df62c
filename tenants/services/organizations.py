"""The life of an organisation: created whole or not at all, suspended, deleted softly, purged for good."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, QuerySet, RestrictedError
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name

from audit.services.recording import audit_record
from tenants.agenda import agenda_drop, agenda_handler, agenda_put, lanes_wake
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput
from tenants.models import AgendaItem, Domain, Membership, Organization, Plan, Subscription, User
from tenants.services.addresses import public_hosts
from tenants.services.passwords import PasswordRules
from tenants.services.schemas import TEMPLATE_SCHEMA, schema_clone, schema_drop

log = logging.getLogger(__name__)

PURGE_KIND: Final = "organization_purge"
# The files of a purged organisation; who keeps files does it.
MEDIA_PURGE_KIND: Final = "media_purge"
DEFAULT_PLAN: Final = "unlimited"
_RESERVED_SLUGS: Final = frozenset(
    {"www", "admin", "api", "docs", "mail", "public", "static", "template-tenant", "sandbox"}
)


def customer_organizations() -> QuerySet[Organization]:
    """Organisations of customers: without the public site's row and the template's."""
    everything: QuerySet[Organization] = Organization.objects.all()
    return everything.exclude(schema_name__in=[get_public_schema_name(), TEMPLATE_SCHEMA])


def public_ensure() -> Organization:
    """The row and hosts of the public site, and the plan that organisations get when none is named. Idempotent."""
    public: Organization
    public, _ = Organization.objects.get_or_create(
        schema_name=get_public_schema_name(), defaults={"name": "Griot", "slug": "public"}
    )
    known = set(public.domains.values_list("domain", flat=True))
    for host in public_hosts():
        if host not in known:
            Domain.objects.create(domain=host, tenant=public, is_primary=not known)
            known.add(host)
    Plan.objects.get_or_create(code=DEFAULT_PLAN, defaults={"name": "Unlimited"})
    return public


def organization_create(
    *,
    name: str,
    slug: str,
    owner_email: str | None = None,
    owner_password: str | None = None,
    owner_name: str = "",
    password_rules: PasswordRules | None = None,
    plan: Plan | None = None,
    default_country: str = "BJ",
    time_zone: str = "UTC",
    language: str = "en",
    is_new_owner: bool = False,
) -> Organization:
    """A complete organisation: row, schema, host, subscription and, when `owner_email` is given, its owner.

    One transaction: a failure leaves nothing behind. An existing account becomes owner and keeps its password; a new
    one needs none (it can be invited or set later), but a password that is given must satisfy the password rules.
    `password_rules`: others than those of the settings (`tenants.services.passwords`).
    `is_new_owner` refuses an address that has an account already (Conflict email_taken): for people who register
    themselves, whose address nobody has checked. Raises InvalidInput naming the fields, Conflict `template_not_ready`,
    and RuntimeError on an organisation's schema.
    """
    _require_public_schema()
    organization = Organization(
        name=name.strip(),
        slug=slug,
        schema_name=_schema_name(slug),
        default_country=default_country,
        time_zone=time_zone,
        language=language,
    )
    with transaction.atomic():
        # Two with the same short name or owner at once: the second one waits and then sees the first.
        _creation_lock(f"slug {slug}", f"owner {(owner_email or '').strip().lower()}")
        _validate(organization)
        # Before the clone, because a password's hash takes longer than the clone holds locks on the platform's tables.
        owner = None
        if owner_email:
            owner = _owner_account(owner_email, owner_password, owner_name, password_rules, is_new=is_new_owner)
        # Before any row: the clone's foreign keys lock the platform's tables, and a writer who waited for that lock
        # with rows of its own in them would be waited for in turn.
        organization.schema_digest = schema_clone(organization.schema_name)
        organization.save()
        Domain.objects.create(domain=organization.host, tenant=organization, is_primary=True)
        _audit("created", organization, new={"name": name, "slug": slug, "owner_email": owner_email})
        chosen = plan or Plan.objects.get_or_create(code=DEFAULT_PLAN, defaults={"name": "Unlimited"})[0]
        Subscription.objects.create(organization=organization, plan=chosen, starts_at=timezone.now())
        if owner is not None:
            if owner._state.adding:
                owner.save()
            Membership.objects.create(user=owner, organization=organization, role=Membership.Role.OWNER)
    log.info("organisation created", extra={"organization": organization.slug})
    return organization


def organization_suspend(*, organization: Organization, reason: str) -> Organization:
    """Stop keys, logins and sends at once. Raises Conflict when it is not active, InvalidInput without a reason."""
    _require_customer(organization)
    if not reason.strip():
        raise InvalidInput("reason_required", _("Say why, it is shown to the super-admins."), {"reason": _("required")})
    with transaction.atomic():
        suspended = _move(
            organization,
            source=Organization.Status.ACTIVE,
            status=Organization.Status.SUSPENDED,
            status_reason=reason.strip()[:200],
            suspended_at=timezone.now(),
        )
        _audit("suspended", suspended, new={"reason": reason.strip()})
    return suspended


def organization_resume(*, organization: Organization) -> Organization:
    """Undo a suspension; what waited in its queues goes out. Raises Conflict when it is not suspended."""
    _require_customer(organization)
    with transaction.atomic():
        resumed = _move(
            organization,
            source=Organization.Status.SUSPENDED,
            status=Organization.Status.ACTIVE,
            status_reason="",
            suspended_at=None,
        )
        _audit("resumed", resumed)
        lanes_wake(schema=resumed.schema_name)
    return resumed


def organization_delete(*, organization: Organization, reason: str = "") -> Organization:
    """Soft deletion: everything stops now, the data is purged after ORGANIZATION_PURGE_DAYS unless restored."""
    _require_customer(organization)
    now = timezone.now()
    purge_at = now + timedelta(days=settings.ORGANIZATION_PURGE_DAYS)
    with transaction.atomic():
        updated = (
            Organization.objects.filter(pk=organization.pk)
            .exclude(status=Organization.Status.DELETED)
            .update(
                status=Organization.Status.DELETED,
                status_reason=reason.strip()[:200],
                deleted_at=now,
                purge_at=purge_at,
            )
        )
        if not updated:
            raise Conflict("organization_state", _("The organisation is deleted already."))
        agenda_put(schema=get_public_schema_name(), kind=PURGE_KIND, key=str(organization.uuid), due_at=purge_at)
        _audit("deleted", organization, new={"reason": reason.strip(), "purge_at": purge_at})
    organization.refresh_from_db()
    return organization


def organization_restore(*, organization: Organization) -> Organization:
    """Undo a deletion before the purge; one that was suspended before is suspended again."""
    with transaction.atomic():
        current = Organization.objects.select_for_update().get(pk=organization.pk)
        status = Organization.Status.SUSPENDED if current.suspended_at else Organization.Status.ACTIVE
        restored = _move(
            organization, source=Organization.Status.DELETED, status=status, deleted_at=None, purge_at=None
        )
        agenda_drop(schema=get_public_schema_name(), kind=PURGE_KIND, key=str(organization.uuid))
        lanes_wake(schema=restored.schema_name)
        _audit("restored", restored)
    return restored


def organization_purge(*, organization: Organization) -> None:
    """Drop the schema and every row of a deleted organisation whose grace period is over. Cannot be undone.

    Accounts that belonged to it alone go too; one that another organisation's history still names is deactivated.
    Raises Conflict `purge_too_early` when it is not deleted or `purge_at` has not come, and `schema_busy` when somebody
    uses its tables or those that they point to: try again later.
    """
    _require_public_schema()
    with transaction.atomic():
        current = (
            Organization.objects.select_for_update()
            .filter(pk=organization.pk, status=Organization.Status.DELETED, purge_at__lte=timezone.now())
            .first()
        )
        if current is None:
            raise Conflict(
                "purge_too_early", _("Only a deleted organisation whose grace period is over can be purged.")
            )
        # Before anything else is read or written: it locks tables that another purge may be reading.
        schema_drop(current.schema_name)
        members = list(User.objects.filter(memberships__organization=current, is_superuser=False))
        AgendaItem.objects.filter(schema=current.schema_name).delete()
        AgendaItem.objects.filter(schema=get_public_schema_name(), kind=PURGE_KIND, key=str(current.uuid)).delete()
        agenda_put(schema=get_public_schema_name(), kind=MEDIA_PURGE_KIND, key=str(current.uuid), due_at=timezone.now())
        # In the platform's own log: the organisation's went with its schema.
        audit_record(action="organization.purged", subject=current, old={"name": current.name, "slug": current.slug})
        current.delete()
        for member in members:
            _account_forget(member)
    log.warning("organisation purged", extra={"organization": current.slug})


@agenda_handler(PURGE_KIND)
def purge_when_due(schema: str, key: str) -> datetime | None:
    """Agenda: purge the organisation with uuid `key`; one that was restored meanwhile is left alone."""
    deleted = customer_organizations().filter(status=Organization.Status.DELETED)
    organization = deleted.filter(uuid=uuid.UUID(key)).first()
    if organization is None or organization.purge_at is None:
        return None
    if organization.purge_at > timezone.now():
        return organization.purge_at
    organization_purge(organization=organization)
    return None


def purge_due() -> list[Organization]:
    """Deleted organisations whose grace period is over, oldest first."""
    return list(
        customer_organizations()
        .filter(status=Organization.Status.DELETED, purge_at__lte=timezone.now())
        .order_by("purge_at")
    )


def _audit(what: str, organization: Organization, new: dict[str, Any] | None = None) -> None:
    audit_record(action=f"organization.{what}", subject=organization, new=new, schema=organization.schema_name)


def _move(organization: Organization, *, source: str, **changes: Any) -> Organization:
    """Guarded change of state; `organization` is read again. Raises Conflict when it is not in `source`."""
    if not Organization.objects.filter(pk=organization.pk, status=source).update(**changes):
        raise Conflict(
            "organization_state",
            _("The organisation is not %(label)s.") % {"label": Organization.Status(source).label.lower()},
        )
    organization.refresh_from_db()
    return organization


def _schema_name(slug: str) -> str:
    # The prefix keeps clear of pg_*, public and the template; a slug has no underscore, so the name stays unique.
    return "t_" + slug.replace("-", "_")


def _validate(organization: Organization) -> None:
    if organization.slug in _RESERVED_SLUGS:
        raise InvalidInput("slug_reserved", _("This short name is reserved."), {"slug": _("reserved")})
    try:
        organization.full_clean(exclude=["schema_name"])
    except ValidationError as error:
        fields = {field: " ".join(messages) for field, messages in error.message_dict.items()}
        code = "slug_taken" if Organization.objects.filter(slug=organization.slug).exists() else "invalid_organization"
        raise InvalidInput(code, _("The organisation cannot be created like this."), fields) from error
    if Domain.objects.filter(domain=organization.host).exists():
        raise InvalidInput("slug_taken", _("This address is in use."), {"slug": _("its address is in use")})


def _owner_account(email: str, password: str | None, name: str, rules: PasswordRules | None, *, is_new: bool) -> User:
    """The account of this address, or a new one that is checked but not saved yet. Raises InvalidInput."""
    existing = User.objects.filter(email__iexact=email.strip()).first()
    if existing is not None and is_new:
        raise Conflict(
            "email_taken", _("This e-mail address has an account already."), {"owner_email": _("has an account")}
        )
    if existing is not None:
        return existing
    user = User(email=email.strip().lower(), name=name.strip()[:120])
    try:
        user.clean_fields(exclude=["password"])
        if password is not None:
            validate_password(password, user, password_validators=rules)
    except ValidationError as error:
        field = "owner_email" if hasattr(error, "error_dict") else "owner_password"
        raise InvalidInput(
            "invalid_owner", _("The owner's account cannot be made."), {field: " ".join(error.messages)}
        ) from error
    user.set_password(password)
    return user


def _account_forget(user: User) -> None:
    if user.memberships.exists():
        return
    account = User.objects.filter(pk=user.pk)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            user.delete()
            # Foreign keys are checked at the end of the transaction; here we want to know at once.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except (IntegrityError, ProtectedError, RestrictedError):
        account.update(is_active=False)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _require_customer(organization: Organization) -> None:
    if organization.schema_name == get_public_schema_name() or organization.is_template:
        raise Conflict("organization_state", _("This is not a customer's organisation."))


def _require_public_schema() -> None:
    if connection.schema_name != get_public_schema_name():
        raise RuntimeError(f"call this on the public schema, not on {connection.schema_name}")


def _creation_lock(*names: str) -> None:
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"organization_create {name}"])
