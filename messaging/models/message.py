"""Messages, in and out, and the attempts that did not simply succeed."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from messaging.models.channel import Channel
from tenants.fields import uuid7

# Lower is sent first, within one channel too.
PRIORITY_OTP: Final = 0
PRIORITY_CONVERSATION: Final = 5
PRIORITY_TRANSACTIONAL: Final = 10
PRIORITY_CAMPAIGN: Final = 30
# Outgoing messages whose end is not known yet.
OPEN_STATUSES: Final = frozenset({"queued", "scheduled", "processing", "in_doubt"})


class Message(models.Model):
    """One message. The engine moves outgoing ones with set-based SQL, never by `save()`."""

    class Direction(models.TextChoices):
        OUT = "out", _("Out")
        IN = "in", _("In")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        # Waits for `due_at`: asked for later, or retried later.
        SCHEDULED = "scheduled", _("Scheduled")
        PROCESSING = "processing", _("Being sent")
        IN_DOUBT = "in_doubt", _("In doubt")
        SENT = "sent", _("Sent")
        DELIVERED = "delivered", _("Delivered")
        READ = "read", _("Read")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        RECEIVED = "received", _("Received")

    class Origin(models.TextChoices):
        API = "api", _("API")
        OTP = "otp", _("One-time password")
        ADMIN = "admin", _("Admin")
        CAMPAIGN = "campaign", _("Campaign")
        CUSTOMER = "customer", _("Customer")
        # Written with another tool on the same address: the phone's app, the page's inbox.
        APP = "app", _("Another app")
        # The confirmation of an opt-out, which must reach somebody who wants nothing else any more.
        AUTO = "auto", _("Automatic answer")

    class CreditState(models.TextChoices):
        HELD = "held", _("Reserved")
        SETTLED = "settled", _("Spent")
        RELEASED = "released", _("Given back")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    # Without the database's own foreign keys: checking two for every row was a third of the cost of inserting it.
    # Django keeps them: a channel with messages is not deleted, a deleted contact's messages lose it.
    channel = models.ForeignKey(
        Channel,
        models.PROTECT,
        related_name="messages",
        db_index=False,
        db_constraint=False,
        verbose_name=_("channel"),
    )
    contact = models.ForeignKey(
        "contacts.Contact",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="messages",
        db_index=False,
        db_constraint=False,
        verbose_name=_("contact"),
    )
    direction = models.CharField(_("direction"), max_length=3, choices=Direction.choices)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    priority = models.SmallIntegerField(
        _("priority"), default=PRIORITY_TRANSACTIONAL, db_default=PRIORITY_TRANSACTIONAL
    )
    # The customer's address: E.164 digits without +, or the provider's id of the person (BSUID, PSID).
    address = models.CharField(_("customer"), max_length=128)
    type = models.CharField(_("type"), max_length=24)
    # {"type": "text", "text": {"body": ...}}: the normalised content, see messaging.drivers.base.Outgoing.
    content = models.JSONField(_("content"))
    # One-time passwords: never shown in lists, never returned by an API, blanked once sent.
    is_sensitive = models.BooleanField(_("sensitive"), default=False, db_default=False)
    # A marketing campaign's, or of a template of that category: held back from people who opted out of marketing.
    is_marketing = models.BooleanField(_("marketing"), default=False, db_default=False, editable=False)
    origin = models.CharField(_("origin"), max_length=10, choices=Origin.choices)
    api_key_id = models.BigIntegerField(null=True, blank=True)
    # The membership under which a person sent it: senders see only their own in the marketing API.
    membership_id = models.BigIntegerField(null=True, blank=True, editable=False)
    # The campaign's run and A/B variant that it belongs to.
    campaign_run_id = models.BigIntegerField(null=True, blank=True, editable=False)
    campaign_variant_id = models.BigIntegerField(null=True, blank=True, editable=False)
    bulk_uuid = models.UUIDField(_("bulk"), null=True, blank=True)
    # Who pays what for it, when it is charged (billing): reserved while its end is open, then spent or given back.
    credit_account_id = models.BigIntegerField(null=True, blank=True, editable=False)
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=4, null=True, blank=True, editable=False)
    credit_state = models.CharField(  # noqa: DJ001 null: no room in the rows of organisations that are not charged
        _("credits"), max_length=8, choices=CreditState.choices, null=True, blank=True, editable=False
    )
    reply_to = models.CharField(_("answers"), max_length=255, blank=True, db_default="")
    provider_id = models.CharField(_("provider's message id"), max_length=255, null=True, blank=True)  # noqa: DJ001 null: unique
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    # Fencing number of the lease under which it was claimed.
    fence = models.BigIntegerField(null=True, blank=True, editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    queued_at = models.DateTimeField(_("queued"), db_default=Now())
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    read_at = models.DateTimeField(_("read"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True, db_default="")
    error_reason = models.CharField(_("reason"), max_length=500, blank=True, db_default="")

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-id",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["channel", "provider_id"],
                name="message_provider_once",
                condition=models.Q(provider_id__isnull=False),
            ),
            # One message per recipient and run, whatever crashes; also how a run's messages are read, in this order.
            models.UniqueConstraint(
                fields=["campaign_run_id", "address"],
                name="message_run_once",
                condition=models.Q(campaign_run_id__isnull=False),
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["channel", "priority", "id"], name="message_claim", condition=models.Q(status="queued")
            ),
            models.Index(fields=["channel", "due_at"], name="message_due", condition=models.Q(status="scheduled")),
            models.Index(
                fields=["channel", "claimed_at"],
                name="message_open",
                condition=models.Q(status__in=["processing", "in_doubt"]),
            ),
            models.Index(fields=["channel", "-id"], name="message_of_channel"),
            models.Index(fields=["address", "-id"], name="message_of_address"),
            models.Index(
                fields=["contact", "-id"], name="message_of_contact", condition=models.Q(contact__isnull=False)
            ),
            # Which recipients of a run failed, in the order of its results; nothing is written for all others.
            models.Index(
                fields=["campaign_run_id", "address"],
                name="message_run_failed",
                condition=models.Q(campaign_run_id__isnull=False, status="failed"),
            ),
            # What people look for: lists of one status, of all channels or one (which the index itself then picks out).
            models.Index(
                fields=["status", "-id", "channel"],
                name="message_attention",
                condition=models.Q(status__in=["queued", "scheduled", "processing", "in_doubt", "failed"]),
            ),
            models.Index(
                fields=["channel", "reply_to"],
                name="message_changes",
                condition=models.Q(direction="in", type__in=["edit", "revoke"]),
            ),
            models.Index(
                fields=["membership_id", "-id"],
                name="message_of_member",
                condition=models.Q(membership_id__isnull=False),
            ),
            models.Index(fields=["bulk_uuid"], name="message_of_bulk", condition=models.Q(bulk_uuid__isnull=False)),
            # The credits that are reserved, added up without the table.
            models.Index(
                fields=["credit_account_id"],
                include=["price"],
                name="message_held_credits",
                condition=models.Q(credit_state="held"),
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class SendAttempt(models.Model):
    """An attempt that ended in a retry, a failure or doubt; attempts that just worked leave no row."""

    class Outcome(models.TextChoices):
        RETRY = "retry", _("Will be tried again")
        FAILED = "failed", _("Failed")
        IN_DOUBT = "in_doubt", _("In doubt")
        RESOLVED = "resolved", _("Doubt resolved")

    message = models.ForeignKey(Message, models.CASCADE, related_name="send_attempts", db_constraint=False)
    at = models.DateTimeField(_("at"), db_default=Now())
    number = models.PositiveSmallIntegerField(_("attempt"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices)
    code = models.CharField(_("code"), max_length=40, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    next_at = models.DateTimeField(_("next"), null=True, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"#{self.number} {self.outcome}"
