"""How long each kind of data is kept, and how far its removal has come."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.organization import Organization


class RetentionPeriod(models.Model):
    """A period that differs from the platform's default, which is in `settings.RETENTION_DAYS`.

    The platform grants an organisation at most so many days; the organisation may choose fewer. No row: the default,
    or what is granted. `days` empty: for ever.
    """

    class SetBy(models.TextChoices):
        PLATFORM = "platform", _("Platform: at most")
        ORGANIZATION = "organization", _("Organisation: its choice")

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="retention_periods", verbose_name=_("organisation")
    )
    kind = models.CharField(_("data"), max_length=32)
    set_by = models.CharField(_("set by"), max_length=12, choices=SetBy.choices)
    days = models.PositiveIntegerField(_("days"), null=True, blank=True, help_text=_("Empty: for ever."))
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("retention period")
        verbose_name_plural = _("retention periods")
        ordering = ("organization", "kind", "set_by")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["organization", "kind", "set_by"], name="retention_period_once"),
            models.CheckConstraint(
                condition=models.Q(days__isnull=True) | models.Q(days__gte=1), name="retention_period_days"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {'-' if self.days is None else self.days}"


class RetentionState(models.Model):
    """One kind of data of one schema: how far the removal has come, and what it removed.

    `position` is a rule's own: where the next step goes on, so that a run that was stopped or killed is continued.
    `finished_at` is empty while a run is under way; `removed` counts the rows of the current or last run.
    """

    schema = models.CharField(_("schema"), max_length=63)
    kind = models.CharField(_("data"), max_length=32)
    position = models.JSONField(default=dict)
    started_at = models.DateTimeField(_("last run"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    removed = models.BigIntegerField(_("removed"), default=0)
    removed_total = models.BigIntegerField(_("removed in all"), default=0)

    class Meta:
        verbose_name = _("retention run")
        verbose_name_plural = _("retention runs")
        ordering = ("-id",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["schema", "kind"], name="retention_state_once")
        ]

    def __str__(self) -> str:
        return f"{self.schema}/{self.kind}"
