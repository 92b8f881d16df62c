"""Files of messages, kept in the storage `media`, and where providers keep copies of them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from messaging.models.channel import Channel
from messaging.models.message import Message
from tenants.fields import uuid7


class MediaFile(models.Model):
    """One file: of a received message (fetched after it), or uploaded here to be sent."""

    class State(models.TextChoices):
        PENDING = "pending", _("Being fetched")
        STORED = "stored", _("Stored")
        REFUSED = "refused", _("Refused")
        FAILED = "failed", _("Not available")
        REMOVED = "removed", _("Removed")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    message = models.ForeignKey(
        Message, models.SET_NULL, null=True, blank=True, related_name="files", db_constraint=False
    )
    # Where it came in; empty for uploads.
    channel = models.ForeignKey(Channel, models.SET_NULL, null=True, blank=True, related_name="+", db_constraint=False)
    kind = models.CharField(_("kind"), max_length=16)
    # The type that its content shows, once it is stored; until then as the provider declares it.
    mime_type = models.CharField(_("type"), max_length=100, blank=True)
    filename = models.CharField(_("file name"), max_length=240, blank=True)
    size = models.BigIntegerField(_("bytes"), null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.PENDING)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    # The provider's id, or the address that anybody may fetch.
    provider_media_id = models.CharField(max_length=255, blank=True)
    source_url = models.TextField(blank=True)
    # Name in the storage `media`; begins with the organisation's uuid.
    path = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    stored_at = models.DateTimeField(_("stored"), null=True, blank=True)

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [models.Index(fields=["created_at"], name="media_file_age")]

    def __str__(self) -> str:
        return self.filename or str(self.uuid)


class ProviderCopy(models.Model):
    """A file as one channel's provider keeps it for a while: it need not be uploaded for every message."""

    file = models.ForeignKey(MediaFile, models.CASCADE, related_name="copies")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="+")
    media_id = models.CharField(max_length=255)
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["file", "channel"], name="provider_copy_once")
        ]

    def __str__(self) -> str:
        return self.media_id
