"""Where events go, and how that went, in numbers."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.fields import EncryptedJSONField, uuid7
from webhooks_app.catalogue import Surface

RETRIES_MOST: Final = 10
TIMEOUT_MOST: Final = 30


class Endpoint(models.Model):
    """One URL of one customer's system. Its lane is the agenda item (kind `webhook`, key: the id)."""

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    surface = models.CharField(_("format"), max_length=16, choices=Surface.choices)
    name = models.CharField(_("name"), max_length=120)
    url = models.CharField(_("address"), max_length=2048)
    # As the surface names them; `types` is what they stand for in the catalogue and what statements match.
    events = ArrayField(models.CharField(max_length=40), verbose_name=_("events"))
    types = ArrayField(models.CharField(max_length=40), editable=False)
    # Empty: events of all channels and those that belong to none.
    channel_ids = ArrayField(
        models.BigIntegerField(), verbose_name=_("channels"), default=list, blank=True, db_default=[]
    )
    # {"current": text, "previous": text or missing}; `previous` signs too until `previous_until`.
    secrets = EncryptedJSONField(default=dict, editable=False)
    previous_until = models.DateTimeField(_("old secret valid until"), null=True, blank=True, editable=False)
    retry_limit = models.PositiveSmallIntegerField(
        _("retries"),
        default=7,
        validators=[MaxValueValidator(RETRIES_MOST)],
        help_text=_("After 5 s, 5 min, 30 min, 2 h, 5 h and then every 10 h."),
    )
    timeout = models.PositiveSmallIntegerField(
        _("time limit"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(TIMEOUT_MOST)],
        help_text=_("Seconds that an answer may take."),
    )
    # Registered with a test key: it hears of sandbox channels only.
    test_only = models.BooleanField(_("test"), default=False, db_default=False, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    disabled_reason = models.CharField(_("switched off because"), max_length=300, blank=True, db_default="")
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    last_success_at = models.DateTimeField(_("last success"), null=True, blank=True, editable=False)
    last_failure_at = models.DateTimeField(_("last failure"), null=True, blank=True, editable=False)
    # Since when no delivery has succeeded any more; empty while the last attempt was fine.
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.name


class EndpointCount(models.Model):
    """An endpoint's numbers per UTC day and event. Only the lane's owner writes them, so one row is added to."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="counts", db_constraint=False)
    day = models.DateField()
    event_type = models.CharField(max_length=40)
    succeeded = models.BigIntegerField(default=0, db_default=0)
    failed = models.BigIntegerField(default=0, db_default=0)
    attempts = models.BigIntegerField(default=0, db_default=0)
    latency_ms = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("webhook counter")
        verbose_name_plural = _("webhook counters")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["endpoint", "day", "event_type"], name="endpoint_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.event_type}"
