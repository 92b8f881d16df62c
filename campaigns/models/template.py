"""Texts that people keep to use again, with variables."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class MarketingTemplate(models.Model):
    """A text with variables (`campaigns.personalisation`); needs no approval, unlike `messaging.MessageTemplate`."""

    class Category(models.TextChoices):
        MARKETING = "marketing", _("Marketing")
        NOTIFICATIONS = "notifications", _("Notifications")
        ALERTS = "alerts", _("Alerts")
        REMINDERS = "reminders", _("Reminders")
        CONFIRMATIONS = "confirmations", _("Confirmations")
        PROMOTIONS = "promotions", _("Promotions")
        OTHER = "other", _("Other")

    name = models.CharField(_("name"), max_length=120)
    content = models.TextField(_("text"), max_length=4096)
    category = models.CharField(_("category"), max_length=16, choices=Category.choices, default=Category.OTHER)
    is_public = models.BooleanField(
        _("for everybody"),
        default=False,
        help_text=_("Everybody in the organisation may use it; otherwise only who made it, and administrators."),
    )
    usage_count = models.BigIntegerField(_("used"), default=0, db_default=0, editable=False)
    membership_id = models.BigIntegerField(_("made by"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    updated_at = models.DateTimeField(_("changed"), db_default=Now())

    class Meta:
        verbose_name = _("text template")
        verbose_name_plural = _("text templates")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [models.Index(fields=["category", "-id"], name="text_template_of_category")]

    def __str__(self) -> str:
        return self.name
