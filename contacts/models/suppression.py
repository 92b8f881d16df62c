"""Addresses that must not be written to."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class Suppression(models.Model):
    """An address that must not be written to: blacklisted by staff, or opted out."""

    class Reason(models.TextChoices):
        BLACKLIST = "blacklist", _("Blacklisted")
        OPT_OUT = "opt_out", _("Opted out")

    class Scope(models.TextChoices):
        ALL = "all", _("Everything")
        MARKETING = "marketing", _("Marketing only")

    address = models.CharField(_("address"), max_length=160, help_text=_("E.164 digits, or the provider's user id."))
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    scope = models.CharField(_("applies to"), max_length=10, choices=Scope.choices, default=Scope.ALL)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        ordering = ("-id",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["address", "scope"], name="suppression_once")
        ]

    def __str__(self) -> str:
        return self.address
