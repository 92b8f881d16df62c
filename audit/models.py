"""What was changed, by whom and from where; chained by hashes, so that a later alteration shows."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """One change. Written in the transaction of the change, sealed into the organisation's chain shortly after."""

    class ActorKind(models.TextChoices):
        USER = "user", _("Person")
        API_KEY = "api_key", _("API key")
        SUPPORT = "support", _("Support")
        SYSTEM = "system", _("System")

    action = models.CharField(_("action"), max_length=60)
    # The model's label ("contacts.contact") and its key; the label keeps its name for when it is gone.
    object_type = models.CharField(_("type"), max_length=60)
    object_id = models.CharField(_("id"), max_length=64, blank=True)
    object_label = models.CharField(_("object"), max_length=200, blank=True)
    old_values = models.JSONField(_("before"), null=True, blank=True)
    new_values = models.JSONField(_("after"), null=True, blank=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=8, choices=ActorKind.choices)
    actor_id = models.BigIntegerField(_("actor's id"), null=True, blank=True)
    actor_label = models.CharField(_("by"), max_length=200, blank=True)
    # The membership under which a person acted: the sub-account of the marketing API.
    membership_id = models.BigIntegerField(_("sub-account"), null=True, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    agent = models.CharField(_("client"), max_length=300, blank=True)
    request_id = models.CharField(_("request"), max_length=128, blank=True)
    created_at = models.DateTimeField(_("at"), db_default=Now())
    # Place in the chain, without gaps; null until it is sealed.
    position = models.BigIntegerField(_("place in the chain"), null=True, unique=True, editable=False)
    hash = models.CharField(_("hash"), max_length=64, blank=True, db_default="", editable=False)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["action", "-id"], name="audit_by_action"),
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_by_object"),
            models.Index(fields=["created_at"], name="audit_by_time"),
            models.Index(fields=["id"], name="audit_unsealed", condition=models.Q(position__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_label}"


class AuditChain(models.Model):
    """The one row that says how far the chain goes and where it starts: retention takes entries off its beginning."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    last_position = models.BigIntegerField(default=0)
    last_hash = models.CharField(max_length=64, blank=True)
    # Everything up to here was deleted after its time; the next entry continues from this hash.
    start_position = models.BigIntegerField(default=0)
    start_hash = models.CharField(max_length=64, blank=True)
    sealed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("audit chain")
        verbose_name_plural = _("audit chains")
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=models.Q(id=1), name="audit_chain_single_row")
        ]

    def __str__(self) -> str:
        return f"{self.start_position}..{self.last_position}"
