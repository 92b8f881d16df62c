"""Contacts and the identities by which providers know them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from contacts.querysets import ContactQuerySet
from tenants.fields import uuid7


class Contact(models.Model):
    """A person. The phone may be unknown: people with a username on WhatsApp, Messenger and Instagram users."""

    class Status(models.TextChoices):
        # Of a person, where some languages have another word than of an organisation.
        ACTIVE = "active", pgettext_lazy("contact", "Active")
        INACTIVE = "inactive", _("Inactive")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=160, blank=True)
    # E.164 digits without +; unique (below) because it is how people and imports find a contact.
    phone = models.CharField(_("phone"), max_length=20, null=True, blank=True)  # noqa: DJ001 null: unique
    email = models.EmailField(_("e-mail"), blank=True)
    status = models.CharField(
        _("status"),
        max_length=8,
        choices=Status.choices,
        default=Status.ACTIVE,
        db_default=Status.ACTIVE,
        help_text=_("Inactive contacts are left out of campaigns."),
    )
    # {"company": "..."}: values as `contacts.fields` normalises them, keys are those of CustomField.
    custom = models.JSONField(_("custom fields"), default=dict, db_default={}, blank=True)
    tags = ArrayField(models.CharField(max_length=40), verbose_name=_("tags"), default=list, db_default=[], blank=True)
    # The group that the marketing API shows as the contact's own; always one of its memberships.
    primary_group = models.ForeignKey(
        "contacts.Group",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("main group"),
    )
    language = models.CharField(_("language"), max_length=10, blank=True, db_default="")
    timezone = models.CharField(
        _("time zone"), max_length=40, blank=True, db_default="", help_text=_("Empty: that of the phone's country.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True, db_default=Now())
    last_seen_at = models.DateTimeField(_("last message from them"), null=True, blank=True)

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("-id",)
        # `LIKE 'Ada%'` uses an index only with this operator class, unless the database's collation is C. Equality uses
        # it as well, so one index of the phones is enough.
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["phone"], name="contact_phone_once", opclasses=["varchar_pattern_ops"])
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["name"], name="contact_name_start", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["email"], name="contact_email_start", opclasses=["varchar_pattern_ops"]),
            GinIndex(fields=["tags"], name="contact_tags"),
        ]

    def __str__(self) -> str:
        return self.name or (f"+{self.phone}" if self.phone else str(self.uuid))


class Identity(models.Model):
    """One name of a contact at a provider: (kind, value) is unique, so two processes never make two contacts of it."""

    class Kind(models.TextChoices):
        PHONE = "phone", _("Phone")
        BSUID = "bsuid", _("WhatsApp user id")
        PSID = "psid", _("Messenger user id")
        IGSID = "igsid", _("Instagram user id")

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="identities", verbose_name=_("contact"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=160)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(fields=["kind", "value"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class ServiceWindow(models.Model):
    """When this address last wrote to this channel: opens the 24 hours in which free text is allowed."""

    channel = models.ForeignKey("messaging.Channel", models.CASCADE, related_name="+", db_constraint=False)
    address = models.CharField(max_length=160)
    last_inbound_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["channel", "address"], name="service_window_once")
        ]

    def __str__(self) -> str:
        return self.address
