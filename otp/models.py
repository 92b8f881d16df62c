"""One-time passwords: only a keyed hash of the code is kept."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7


class OneTimePassword(models.Model):
    """One code for one number: verified once, guessed `max_attempts` times at most, dead after `expires_at`."""

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    phone = models.CharField(_("phone"), max_length=20)
    # Country code and the first digits after it: pumping fraud runs through ranges of numbers.
    prefix = models.CharField(_("prefix"), max_length=12)
    code_hash = models.CharField(max_length=64, editable=False)
    channel_id = models.BigIntegerField()
    message_uuid = models.UUIDField(_("message"), null=True, blank=True)
    api_key_id = models.BigIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveSmallIntegerField(_("attempts allowed"))
    created_at = models.DateTimeField(_("created"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"))
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)

    class Meta:
        verbose_name = _("one-time password")
        verbose_name_plural = _("one-time passwords")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["phone", "-created_at"], name="otp_of_phone"),
            models.Index(fields=["prefix", "-created_at"], name="otp_of_prefix"),
            models.Index(fields=["-created_at"], name="otp_by_time"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class OtpPolicy(models.Model):
    """The organisation's limits against guessing and pumping; one row per organisation, created with it."""

    max_attempts = models.PositiveSmallIntegerField(
        _("guesses per code"), default=5, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    resend_after_seconds = models.PositiveIntegerField(_("seconds between two codes to one number"), default=30)
    per_number_per_hour = models.PositiveIntegerField(
        _("codes per number and hour"), default=5, validators=[MinValueValidator(1)]
    )
    per_prefix_per_hour = models.PositiveIntegerField(
        _("codes per number range and hour"), default=200, validators=[MinValueValidator(1)]
    )
    per_organization_per_hour = models.PositiveIntegerField(
        _("codes per hour in all"), default=5000, validators=[MinValueValidator(1)]
    )

    class Meta:
        verbose_name = _("one-time password policy")
        verbose_name_plural = _("one-time password policy")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
