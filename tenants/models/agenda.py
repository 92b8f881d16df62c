"""The agenda: everything that must happen at a time, for all organisations, in one public table."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class AgendaItem(models.Model):
    """(schema, kind, key) is due at a time. Whoever raises `fence` and writes a lease owns it until `leased_until`.

    Items of kind `channel` are the channels' lanes: permanent rows whose lease is the right to pump that channel.
    Other items are deleted or moved to a new time by their handler.
    """

    schema = models.CharField(_("schema"), max_length=63)
    kind = models.CharField(_("kind"), max_length=32)
    key = models.CharField(_("key"), max_length=64)
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    lease_owner = models.CharField(_("taken by"), max_length=80, blank=True, db_default="")
    leased_until = models.DateTimeField(_("taken until"), null=True, blank=True)
    # Grows with each lease: a worker that was thought dead cannot write over its successor's work.
    fence = models.BigIntegerField(default=0, db_default=0)
    attempts = models.PositiveIntegerField(_("attempts"), default=0, db_default=0)
    # What the next owner must know, such as a lane's sends of the last second.
    state = models.JSONField(default=dict, db_default=models.Value("{}", models.JSONField()))
    last_error = models.TextField(_("last error"), blank=True, db_default="")

    class Meta:
        verbose_name = _("agenda item")
        verbose_name_plural = _("agenda items")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["schema", "kind", "key"], name="agenda_item_once")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["due_at"], name="agenda_due", condition=models.Q(due_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.schema}/{self.kind}/{self.key}"
