"""Deliveries of events to endpoints, and every attempt of each."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from webhooks_app.models.endpoint import Endpoint


class Delivery(models.Model):
    """One event on its way to one endpoint. The pump moves it with set-based SQL, never by `save()`."""

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        SENDING = "sending", _("Being delivered")
        SUCCEEDED = "succeeded", _("Delivered")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    # Travels as `webhook-id`, the same in every attempt and replay: receivers recognise repetitions by it.
    uuid = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    endpoint = models.ForeignKey(
        Endpoint,
        models.CASCADE,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
        verbose_name=_("webhook"),
    )
    # The row of Event; no foreign key, because each of the two has a period of its own after which it is removed.
    event_id = models.BigIntegerField(editable=False)
    event_type = models.CharField(_("event"), max_length=40)
    ordering_key = models.CharField(max_length=64, blank=True, db_default="")
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, db_default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    due_at = models.DateTimeField(_("due"), null=True, blank=True, db_default=Now())
    # Fencing number of the lease under which it was claimed.
    fence = models.BigIntegerField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    status_code = models.PositiveSmallIntegerField(_("answer"), null=True, blank=True)
    latency_ms = models.PositiveIntegerField(_("latency"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True, db_default="")

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["endpoint", "due_at", "id"],
                name="delivery_claim",
                condition=models.Q(status__in=["pending", "sending"]),
            ),
            models.Index(
                fields=["endpoint", "ordering_key", "id"],
                name="delivery_order",
                condition=models.Q(status__in=["pending", "sending"]) & ~models.Q(ordering_key=""),
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
            models.Index(fields=["endpoint", "event_type", "-id"], name="delivery_of_type"),
            models.Index(fields=["-id"], name="delivery_failed", condition=models.Q(status="failed")),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class Attempt(models.Model):
    """One request. Its body and headers can be rebuilt from the event, the endpoint's secret and `at`."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempt_rows", db_constraint=False)
    number = models.PositiveSmallIntegerField(_("attempt"))
    # Whole seconds of it are the signed timestamp.
    at = models.DateTimeField(_("at"))
    latency_ms = models.PositiveIntegerField(_("latency"))
    status_code = models.PositiveSmallIntegerField(_("answer"), null=True, blank=True)
    response_head = models.CharField(_("beginning of the answer"), max_length=1000, blank=True, db_default="")
    error = models.CharField(_("error"), max_length=300, blank=True, db_default="")

    class Meta:
        verbose_name = _("delivery attempt")
        verbose_name_plural = _("delivery attempts")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"#{self.number}"
