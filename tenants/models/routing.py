"""What arrives from providers before an organisation is known: raw bodies, and the table that finds the channel."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.organization import Organization


class InboundRoute(models.Model):
    """(kind, external id) -> one channel of one organisation. Kinds: `whatsapp_phone`, `whatsapp_account`."""

    kind = models.CharField(_("kind"), max_length=24)
    external_id = models.CharField(_("provider's id"), max_length=64)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="routes", verbose_name=_("organisation")
    )
    # Internal id of the channel inside the organisation's schema; null for routes of a whole account.
    channel_id = models.BigIntegerField(_("channel"), null=True, blank=True)

    class Meta:
        verbose_name = _("inbound route")
        verbose_name_plural = _("inbound routes")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["kind", "external_id", "organization"], name="route_once_per_organization"),
            # A phone number id belongs to one organisation only; an account (WABA) may be shared by several.
            models.UniqueConstraint(
                fields=["kind", "external_id"],
                condition=models.Q(channel_id__isnull=False),
                name="route_of_channel_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.external_id}"


class InboundEvent(models.Model):
    """One signed POST of a provider, kept raw until it has been applied; unknown parts stay visible."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        DONE = "done", _("Processed")
        PARTIAL = "partial", _("Processed, some parts kept aside")
        FAILED = "failed", _("Failed, will be retried")

    source = models.CharField(_("source"), max_length=16, default="meta")
    # Set when the address itself names the organisation (/webhook/{org_id}): only its routes may match then.
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("organisation")
    )
    body = models.BinaryField(_("body"))
    received_at = models.DateTimeField(_("received"), auto_now_add=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.RECEIVED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    processed_at = models.DateTimeField(_("processed"), null=True, blank=True)
    # Parts that found no channel or broke: [{"where": "entry[0].changes[2]", "reason": "..."}].
    problems = models.JSONField(_("kept aside"), default=list, blank=True)

    class Meta:
        verbose_name = _("inbound event")
        verbose_name_plural = _("inbound events")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["received_at"], name="inbound_waiting", condition=models.Q(status__in=["received", "failed"])
            ),
            models.Index(fields=["-received_at"], name="inbound_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.source} #{self.pk}"
