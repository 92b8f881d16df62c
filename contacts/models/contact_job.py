"""Actions on all contacts that match a filter: done by the workers, step by step."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7


class ContactJob(models.Model):
    """One action. `cursor` moves in the transaction that changes the contacts up to it."""

    class Kind(models.TextChoices):
        GROUP_ADD = "group_add", _("Add to a group")
        GROUP_REMOVE = "group_remove", _("Take out of a group")
        STATUS_SET = "status_set", _("Set the status")
        DELETE = "delete", _("Delete")

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    kind = models.CharField(_("action"), max_length=12, choices=Kind.choices)
    # `contacts.filters.ContactFilter` and the action's own value: {"group_id": 1} or {"status": "inactive"}.
    filter = models.JSONField(_("filter"), default=dict)
    value = models.JSONField(_("value"), default=dict)
    status = models.CharField(_("state"), max_length=9, choices=Status.choices, default=Status.RUNNING)
    reason = models.CharField(_("why"), max_length=300, blank=True, default="", db_default="")
    cursor = models.BigIntegerField(default=0, db_default=0)
    # Contacts that come after the job has begun are not meant.
    last_id = models.BigIntegerField(default=0, db_default=0)
    looked_at = models.PositiveBigIntegerField(_("contacts that match"), default=0, db_default=0)
    changed = models.PositiveBigIntegerField(_("contacts changed"), default=0, db_default=0)
    actor = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("action on contacts")
        verbose_name_plural = _("actions on contacts")
        ordering = ("-id",)

    def __str__(self) -> str:
        return str(self.get_kind_display())
