"""Counters of campaigns' runs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class RunCount(models.Model):
    """What happened to a run's messages, per minute and variant: insert-only and squashed, like `ChannelCount`.

    A counter is the SUM of its rows. `done` counts messages that left the open states for good, less those that were
    queued again: `accepted` minus `done` is how many are still open. `held.<reason>` counts recipients that were
    skipped. `variant_id` is 0 without variants.
    """

    class Metric(models.TextChoices):
        ACCEPTED = "accepted", _("Accepted")
        SENT = "sent", _("Sent")
        DELIVERED = "delivered", _("Delivered")
        READ = "read", _("Read")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        DONE = "done", _("Done")

    run_id = models.BigIntegerField()
    variant_id = models.BigIntegerField(default=0, db_default=0)
    minute = models.DateTimeField()
    metric = models.CharField(max_length=32)
    count = models.BigIntegerField()
    squashed = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name = _("campaign counter")
        verbose_name_plural = _("campaign counters")
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["run_id", "minute"], include=["variant_id", "metric", "count"], name="run_count_sum"),
            models.Index(fields=["id"], name="run_count_unsquashed", condition=models.Q(squashed=False)),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.count}"
