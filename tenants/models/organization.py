"""Organisations (one schema each), their hosts, plans and subscriptions."""

from __future__ import annotations

from typing import Any, ClassVar

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from config.time_zones import time_zone_names
from tenants.fields import uuid7


def validate_time_zone(value: str) -> None:
    """An IANA zone name, such as Africa/Porto-Novo."""
    if value not in time_zone_names():
        raise ValidationError(_("%(value)s is not an IANA time zone."), params={"value": value})


def validate_country(value: str) -> None:
    """An ISO 3166-1 alpha-2 region that has phone numbers."""
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValidationError(_("%(value)s is not a two-letter country code."), params={"value": value})


class Organization(TenantMixin):
    """A tenant: everything it owns is in the schema `schema_name`, nothing of it anywhere else but routes and keys."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        DELETED = "deleted", _("Deleted, waiting for the purge")

    # The schema is cloned by `organization_create`; saving a row must never run migrations.
    auto_create_schema = False
    auto_drop_schema = False

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(
        _("name"), max_length=100, help_text=_("Shown to customers, for instance in one-time passwords.")
    )
    slug = models.CharField(
        _("short name"),
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$", _("3 to 40 of a-z, 0-9 and -, starting with a letter."))
        ],
        help_text=_("Part of the organisation's address; cannot change later."),
    )
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.ACTIVE)
    status_reason = models.CharField(_("reason"), max_length=200, blank=True)
    default_country = models.CharField(
        _("default country"),
        max_length=2,
        default="BJ",
        validators=[validate_country],
        help_text=_("Phone numbers without a country code are read as numbers of this country."),
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, default="en")
    brand_color = models.CharField(
        _("brand colour"),
        max_length=7,
        blank=True,
        default="",
        db_default="",
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", _("Six hexadecimal digits after #, such as #128361."))],
        help_text=_("Colour of the pages that your customers see, such as #128361."),
    )
    is_template = models.BooleanField(default=False, editable=False)
    # Digest of the tenant migrations that this schema holds: equal to the code's digest = nothing to migrate.
    schema_digest = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    suspended_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    purge_at = models.DateTimeField(_("purged on"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_usable(self) -> bool:
        """Whether its keys, logins and sends work."""
        return self.status == self.Status.ACTIVE

    @property
    def host(self) -> str:
        """Host of the organisation's admin, without the port."""
        return f"{self.slug}.{settings.BASE_DOMAIN}"


class Domain(DomainMixin):
    """A host name that leads to one organisation's admin."""

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")

    def __str__(self) -> str:
        return str(self.domain)


class Plan(models.Model):
    """What an organisation may use; an empty limit means no limit."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=80)
    messages_per_month = models.PositiveIntegerField(_("messages per month"), null=True, blank=True)
    users = models.PositiveIntegerField(_("users"), null=True, blank=True)
    channels = models.PositiveIntegerField(_("channels"), null=True, blank=True)
    contacts = models.PositiveIntegerField(_("contacts"), null=True, blank=True)
    is_active = models.BooleanField(_("offered"), default=True)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name


class Subscription(models.Model):
    """The plan that an organisation has, from a day on; the newest one that has begun and not ended counts."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="subscriptions", verbose_name=_("organisation")
    )
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="subscriptions", verbose_name=_("plan"))
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("-starts_at",)
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["organization", "-starts_at"], name="subscription_current")
        ]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True) | models.Q(ends_at__gt=models.F("starts_at")),
                name="subscription_ends_after_start",
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization} – {self.plan}"
