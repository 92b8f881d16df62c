"""Runs of campaigns, and who was left out of them and why."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign, Variant


class Run(models.Model):
    """One occurrence of a campaign. Its messages carry its id; what became of them is in `messaging.RunCount`."""

    class Status(models.TextChoices):
        # Recipients are being queued, or wait for the winner of the sample.
        PREPARING = "preparing", _("Being queued")
        SENDING = "sending", _("Being sent")
        PAUSED = "paused", _("Paused")
        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        MISSED = "missed", _("Missed")

    class Phase(models.TextChoices):
        """How far the recipients have been queued; kept while a run is paused."""

        ALL = "all", _("Everybody is being queued")
        SAMPLE = "sample", _("The sample is being queued")
        WAITING = "waiting", _("The sample decides")
        REST = "rest", _("The rest is being queued")
        QUEUED = "queued", _("All are queued")

    class Job(models.TextChoices):
        """Work over all messages of the run that is done in batches, in the background."""

        NONE = "", _("None")
        PARK = "park", _("Taking messages out of the queue")
        RELEASE = "release", _("Putting messages back into the queue")
        CANCEL = "cancel", _("Cancelling messages")
        RETRY = "retry", _("Queueing failed messages again")

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="runs", verbose_name=_("campaign"))
    # When it was meant to start: the key that keeps two schedulers from starting one occurrence twice.
    occurrence_at = models.DateTimeField(_("occurrence"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.PREPARING)
    status_reason = models.CharField(_("reason"), max_length=500, blank=True, db_default="")
    phase = models.CharField(_("phase"), max_length=8, choices=Phase.choices, default=Phase.ALL)
    job = models.CharField(_("work under way"), max_length=8, choices=Job.choices, blank=True, default=Job.NONE)
    # Failed messages that failed before this moment are queued again.
    retry_before = models.DateTimeField(null=True, blank=True)
    # Where the queueing is: the last key that was done, and the last one that there was at the start.
    cursor = models.BigIntegerField(default=0, db_default=0)
    last_key = models.BigIntegerField(default=0, db_default=0)
    # Recipients looked at so far in this phase: decides their variants.
    position = models.BigIntegerField(default=0, db_default=0)
    winner = models.ForeignKey(
        Variant, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("winner")
    )
    decide_at = models.DateTimeField(_("winner is chosen at"), null=True, blank=True)
    # Up to when beginnings of quiet hours have been dealt with.
    quiet_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    queued_at = models.DateTimeField(_("all queued"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-id",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["campaign", "occurrence_at"], name="run_once_per_occurrence")
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.occurrence_at:%Y-%m-%d %H:%M}"


class SkippedRecipient(models.Model):
    """Somebody of the audience who gets no message in this run, and why."""

    class Reason(models.TextChoices):
        SUPPRESSED = "suppressed", _("Blocked, or opted out of everything")
        NO_PRICE = "no_price", _("No price for this destination")
        OPTED_OUT = "opted_out", _("Opted out of marketing")
        WINDOW_CLOSED = "window_closed", _("Has not written within the last 24 hours")
        NO_ADDRESS = "no_address", _("Cannot be reached through this channel")
        INVALID = "invalid_phone", _("Not a phone number")
        INACTIVE = "inactive", _("The contact is inactive")
        SENDER = "recipient_is_sender", _("The channel's own number")
        CONTENT = "invalid_content", _("The text with their values cannot be sent")
        DUPLICATE = "duplicate", _("Is on the list more than once")
        UNUSABLE = "unusable", _("Their data cannot be used")

    run = models.ForeignKey(Run, models.CASCADE, related_name="skipped", db_index=False)
    # "#<contact id>" for people without an address.
    address = models.CharField(_("recipient"), max_length=160)
    contact_id = models.BigIntegerField(null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason.choices)
    detail = models.CharField(_("detail"), max_length=300, blank=True, db_default="")

    class Meta:
        verbose_name = _("skipped recipient")
        verbose_name_plural = _("skipped recipients")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["run", "address"], name="skipped_once_per_run")
        ]

    def __str__(self) -> str:
        return self.address
