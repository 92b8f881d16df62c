"""Replaying everything since a time: a job that runs in the background, with its progress."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7
from webhooks_app.models.endpoint import Endpoint


class Replay(models.Model):
    """Deliveries of `endpoint` created since `since` are put back into the queue, oldest first, in batches."""

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="replays", verbose_name=_("webhook"))
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"))
    failed_only = models.BooleanField(_("failed ones only"), default=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.RUNNING)
    # Everything up to this delivery has been looked at.
    cursor = models.BigIntegerField(default=0, db_default=0)
    replayed = models.BigIntegerField(_("replayed"), default=0, db_default=0)
    created_at = models.DateTimeField(_("asked for"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering = ("-id",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["endpoint"], name="replay_one_at_a_time", condition=models.Q(status="running")
            )
        ]

    def __str__(self) -> str:
        return f"{self.endpoint_id} {self.since:%Y-%m-%d %H:%M}"
