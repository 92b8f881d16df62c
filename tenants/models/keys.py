"""API keys of the published surfaces. The key is shown once; only its hash is stored."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7
from tenants.models.access import User
from tenants.models.organization import Organization


class ApiKey(models.Model):
    """`rf_live_<key id>_<secret>`: the key id finds the row, the secret is compared with its hash."""

    class Surface(models.TextChoices):
        TRANSACTIONAL = "transactional", _("Transactional (/api/v1)")
        GATEWAY = "gateway", _("Gateway (/v1)")

    class Mode(models.TextChoices):
        LIVE = "live", _("Live")
        TEST = "test", _("Test: sandbox channels only")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="api_keys", verbose_name=_("organisation")
    )
    surface = models.CharField(_("surface"), max_length=16, choices=Surface.choices, default=Surface.TRANSACTIONAL)
    name = models.CharField(_("name"), max_length=80, help_text=_("Where the key is used, to recognise it later."))
    mode = models.CharField(_("mode"), max_length=4, choices=Mode.choices, default=Mode.TEST)
    key_id = models.CharField(_("key id"), max_length=24, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"), default=list)
    rate_per_minute = models.PositiveIntegerField(_("requests per minute"), default=600)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+", editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Empty: never."))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-created_at",)
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["organization", "-created_at"], name="apikey_of_organization")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.key_id})"
