"""How every channel is doing, for those who watch the whole platform: what its lane last saw."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.organization import Organization


class ChannelHealth(models.Model):
    """One channel as the engine saw it at `measured_at`; written every few seconds while it works, and when it stops.

    Metrics and super-admins read this table and no organisation's schema. Counts stop at 10,001 ("more than 10,000").
    `rate` is messages per minute between the last two looks; while nobody looks it is not true any more.
    """

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="channel_health", verbose_name=_("organisation")
    )
    channel_id = models.BigIntegerField(_("channel"))
    name = models.CharField(_("name"), max_length=80)
    status = models.CharField(_("state"), max_length=12)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    since = models.DateTimeField(_("since"), null=True, blank=True)
    queued = models.PositiveIntegerField(_("waiting"))
    scheduled = models.PositiveIntegerField(_("scheduled"))
    in_doubt = models.PositiveIntegerField(_("in doubt"))
    oldest_at = models.DateTimeField(_("oldest waiting since"), null=True, blank=True)
    outcome = models.CharField(_("last run"), max_length=8, blank=True)
    rate = models.FloatField(_("per minute"), default=0.0)
    sent_total = models.BigIntegerField(_("sent"), default=0)
    measured_at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("channel's health")
        verbose_name_plural = _("channels' health")
        ordering = ("-id",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["organization", "channel_id"], name="channel_health_once")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["-queued"], name="channel_health_queued", condition=models.Q(queued__gt=0)),
            models.Index(fields=["oldest_at"], name="channel_health_oldest", condition=models.Q(queued__gt=0)),
            models.Index(fields=["-in_doubt"], name="channel_health_doubt", condition=models.Q(in_doubt__gt=0)),
            models.Index(fields=["-since"], name="channel_health_paused", condition=models.Q(status="paused")),
            models.Index(fields=["-measured_at"], name="channel_health_seen"),
        ]

    def __str__(self) -> str:
        return self.name
