"""Groups of contacts. The number of members is kept, never counted."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7


class Group(models.Model):
    """A named list of contacts. Members are added and removed by `contacts.services.groups`, which keeps the count."""

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=300, blank=True)
    member_count = models.PositiveIntegerField(_("members"), default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("group")
        verbose_name_plural = _("groups")
        ordering = ("name", "id")
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(Lower("name"), name="group_name_once")]

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    """A contact in a group."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="memberships", db_index=False)
    contact = models.ForeignKey("contacts.Contact", models.CASCADE, related_name="memberships")
    added_at = models.DateTimeField(_("added"), db_default=Now())

    class Meta:
        verbose_name = _("member of a group")
        verbose_name_plural = _("members of groups")
        constraints: ClassVar[list[Any]] = [
            # Also the order in which campaigns read a group.
            models.UniqueConstraint(fields=["group", "contact"], name="group_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} in {self.group_id}"
