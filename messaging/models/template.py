"""Message templates as the provider has them: the copy that lists, forms and the guard before sending read."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7


class MessageTemplate(models.Model):
    """One template in one language. It belongs to the provider's account, so all numbers of the account may send it."""

    class Status(models.TextChoices):
        PENDING = "PENDING", _("In review")
        APPROVED = "APPROVED", _("Approved")
        REJECTED = "REJECTED", _("Rejected")
        PAUSED = "PAUSED", _("Paused for low quality")
        DISABLED = "DISABLED", _("Disabled")
        IN_APPEAL = "IN_APPEAL", _("In appeal")
        LIMIT_EXCEEDED = "LIMIT_EXCEEDED", _("Over the account's limit")
        PENDING_DELETION = "PENDING_DELETION", _("Being deleted")
        DELETED = "DELETED", _("Deleted")
        ARCHIVED = "ARCHIVED", _("Archived")

    class Category(models.TextChoices):
        UTILITY = "UTILITY", _("Utility")
        MARKETING = "MARKETING", _("Marketing")
        AUTHENTICATION = "AUTHENTICATION", _("Authentication")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    # Channel.kind and Channel.account_id of the channels that may send it.
    kind = models.CharField(_("kind"), max_length=32)
    account_id = models.CharField(_("provider's account"), max_length=64)
    provider_id = models.CharField(_("provider's id"), max_length=64, blank=True)
    name = models.CharField(_("name"), max_length=512)
    language = models.CharField(_("language"), max_length=16)
    # Words of the provider; one that is new to us is kept and shown as it is.
    category = models.CharField(_("category"), max_length=32)
    previous_category = models.CharField(_("previous category"), max_length=32, blank=True, db_default="")
    next_category = models.CharField(_("announced category"), max_length=32, blank=True, db_default="")
    status = models.CharField(_("status"), max_length=32)
    reason = models.CharField(_("reason"), max_length=500, blank=True, db_default="")
    quality = models.CharField(_("quality"), max_length=16, blank=True, db_default="")
    parameter_format = models.CharField(_("variables"), max_length=16, default="POSITIONAL")
    components = models.JSONField(_("components"), default=list)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    status_at = models.DateTimeField(_("status since"), db_default=Now())
    # When the provider's newest news that was applied happened there: older news that come late change nothing.
    news_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ("name", "language", "id")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["kind", "account_id", "name", "language"], name="template_once_per_account")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    @property
    def is_sendable(self) -> bool:
        """Whether the provider lets messages of it out now."""
        return self.status == self.Status.APPROVED


# Gone at the provider: kept for the history, left out of lists.
GONE: Final = (MessageTemplate.Status.DELETED,)


class TemplateSync(models.Model):
    """When the templates of an account were last read in full; without a row nobody knows what the account has."""

    kind = models.CharField(max_length=32)
    account_id = models.CharField(max_length=64)
    synced_at = models.DateTimeField(_("read"))

    class Meta:
        verbose_name = _("reading of templates")
        verbose_name_plural = _("readings of templates")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["kind", "account_id"], name="template_sync_once_per_account")
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.account_id}"
