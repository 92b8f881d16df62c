"""The outbox: events that at least one endpoint wants."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Event(models.Model):
    """Something that happened, with the neutral payload of `webhooks_app.catalogue`; written with its deliveries."""

    type = models.CharField(_("event"), max_length=40)
    # Deliveries of one key reach an endpoint in order: a message's uuid, a contact's. Empty: no order.
    key = models.CharField(max_length=64, blank=True, db_default="")
    channel_id = models.BigIntegerField(null=True, blank=True)
    is_test = models.BooleanField(default=False, db_default=False)
    data = models.JSONField(_("payload"))
    created_at = models.DateTimeField(_("happened"), db_default=Now())

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.type
