"""Contacts and the identities by which providers know them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7


class Contact(models.Model):
    """A person. The phone may be unknown: people with a username on WhatsApp, Messenger and Instagram users."""

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=160, blank=True)
    # E.164 digits without +; unique because it is how people and imports find a contact.
    phone = models.CharField(_("phone"), max_length=20, null=True, blank=True, unique=True)  # noqa: DJ001 null: unique
    email = models.EmailField(_("e-mail"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_seen_at = models.DateTimeField(_("last message from them"), null=True, blank=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("-id",)
        # `LIKE 'Ada%'` uses an index only with this operator class, unless the database's collation is C.
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["name"], name="contact_name_start", opclasses=["varchar_pattern_ops"])
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


class Suppression(models.Model):
    """An address that must not be written to: blacklisted by staff, or opted out."""

    class Reason(models.TextChoices):
        BLACKLIST = "blacklist", _("Blacklisted")
        OPT_OUT = "opt_out", _("Opted out")

    class Scope(models.TextChoices):
        ALL = "all", _("Everything")
        MARKETING = "marketing", _("Marketing only")

    address = models.CharField(_("address"), max_length=160, help_text=_("E.164 digits, or the provider's user id."))
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    scope = models.CharField(_("applies to"), max_length=10, choices=Scope.choices, default=Scope.ALL)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        ordering = ("-id",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["address", "scope"], name="suppression_once")
        ]

    def __str__(self) -> str:
        return self.address
