"""Channels (a WhatsApp number, later an SMS gateway, a page) and their counters."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from messaging.drivers.registry import driver_choices
from messaging.models.customer import Customer
from tenants.fields import EncryptedJSONField, uuid7


class Channel(models.Model):
    """One sender address at one provider."""

    class Status(models.TextChoices):
        CONNECTED = "connected", _("Connected")
        PAUSED = "paused", _("Paused")
        PENDING = "pending", _("Set-up not finished")
        DISCONNECTED = "disconnected", _("Disconnected")

    class InDoubtPolicy(models.TextChoices):
        FAIL = "fail", _("Mark as failed, never risk sending twice")
        REQUEUE = "requeue", _("Send again")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=32, choices=driver_choices)
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.CONNECTED)
    status_reason = models.CharField(_("reason"), max_length=300, blank=True)
    status_since = models.DateTimeField(_("since"), null=True, blank=True, editable=False)
    # Who paused or resumed it; empty: the platform itself, after an answer of the provider.
    status_by = models.CharField(_("by"), max_length=254, blank=True, db_default="", editable=False)
    is_sandbox = models.BooleanField(
        _("sandbox"),
        default=False,
        help_text=_("Talks to the sandbox instead of the provider; the only kind that test keys reach."),
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="channels", verbose_name=_("customer")
    )
    # Never the text of a UUID, so that it cannot be mistaken for another channel's public id.
    reference = models.CharField(  # noqa: DJ001  null: unique only where it is given
        _("your id"),
        max_length=64,
        null=True,
        blank=True,
        unique=True,
        help_text=_("What your own systems call this channel; the gateway API takes it in place of our id."),
    )
    # What the provider calls it: phone_number_id for WhatsApp; `account_id` is the WABA.
    external_id = models.CharField(_("provider's id"), max_length=64)
    account_id = models.CharField(_("provider's account"), max_length=64, blank=True)
    address = models.CharField(
        _("number"), max_length=32, blank=True, help_text=_("E.164 digits, as customers see it.")
    )
    config = models.JSONField(_("settings"), default=dict, blank=True)
    secrets = EncryptedJSONField(default=dict, blank=True, editable=False)
    rate_per_second = models.PositiveIntegerField(
        _("messages per second"), null=True, blank=True, help_text=_("Empty: the provider's default. 0: no limit.")
    )
    daily_cap = models.PositiveIntegerField(
        _("daily cap"),
        null=True,
        blank=True,
        help_text=_("Empty: grows by itself during the first days of a new number."),
    )
    enforce_window = models.BooleanField(
        _("refuse free text outside the 24 h window"),
        default=True,
        help_text=_("Outside of the window the provider would accept free text and then fail it."),
    )
    in_doubt_policy = models.CharField(
        _("campaign messages in doubt"), max_length=8, choices=InDoubtPolicy.choices, default=InDoubtPolicy.FAIL
    )
    quality_rating = models.CharField(_("quality"), max_length=10, blank=True)
    # The provider's times of the newest news about the quality and the limit: what is older changes nothing.
    quality_at = models.DateTimeField(null=True, editable=False)
    limit_at = models.DateTimeField(null=True, editable=False)
    # Since when the access token is in force here, when it ends (null: never, or not known), and what is wrong with it.
    token_at = models.DateTimeField(null=True, editable=False)
    token_expires_at = models.DateTimeField(_("token valid until"), null=True, editable=False)
    token_problem = models.CharField(
        _("problem of the token"), max_length=300, blank=True, db_default="", editable=False
    )
    first_live_send_at = models.DateTimeField(_("first live send"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("name", "id")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["kind", "external_id"], name="channel_once_per_address")
        ]

    def __str__(self) -> str:
        return self.name


class ChannelCount(models.Model):
    """Counters per channel and hour, insert-only and squashed now and then: no hot row that senders would queue for.

    The value of a counter is the SUM of its rows. `hour` is the UTC hour, so that any zone's day can be added up.
    """

    class Metric(models.TextChoices):
        ACCEPTED = "accepted", _("Accepted")
        SENT = "sent", _("Sent")
        DELIVERED = "delivered", _("Delivered")
        READ = "read", _("Read")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        RECEIVED = "received", _("Received")
        SPAM = "spam", _("Spam errors")
        QUALITY = "quality", _("Quality errors")
        TEMPLATE_PAUSE = "template_pause", _("Template pauses")

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="counts", db_constraint=False)
    hour = models.DateTimeField()
    metric = models.CharField(max_length=16, choices=Metric.choices)
    count = models.BigIntegerField()
    squashed = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name = _("counter")
        verbose_name_plural = _("counters")
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["channel", "hour"], include=["metric", "count"], name="channel_count_sum"),
            models.Index(fields=["id"], name="channel_count_unsquashed", condition=models.Q(squashed=False)),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.count}"
