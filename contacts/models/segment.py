"""Saved filters over contacts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7


class Segment(models.Model):
    """Contacts that satisfy `rules` at the moment of asking; `contacts.segments` says what rules look like."""

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=300, blank=True)
    rules = models.JSONField(_("rules"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ("name", "id")
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(Lower("name"), name="segment_name_once")]

    def __str__(self) -> str:
        return self.name
