"""How an organisation treats people who write STOP."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.models.suppression import Suppression
from contacts.stop_words import WORD_LENGTH, default_start_words, default_stop_words


class OptOutPolicy(models.Model):
    """One row per organisation; until somebody changes something there is none, and the defaults hold."""

    stop_words = ArrayField(
        models.CharField(max_length=WORD_LENGTH),
        verbose_name=_("words that stop"),
        default=default_stop_words,
        blank=True,
    )
    start_words = ArrayField(
        models.CharField(max_length=WORD_LENGTH),
        verbose_name=_("words that resume"),
        default=default_start_words,
        blank=True,
    )
    scope = models.CharField(
        _("stops"),
        max_length=10,
        choices=Suppression.Scope.choices,
        default=Suppression.Scope.MARKETING,
        help_text=_("Marketing only: one-time passwords, receipts and answers still arrive."),
    )
    stop_reply = models.CharField(
        _("answer to a stop"), max_length=500, blank=True, help_text=_("Sent once. Empty: no answer.")
    )
    start_reply = models.CharField(
        _("answer to a resume"), max_length=500, blank=True, help_text=_("Sent once. Empty: no answer.")
    )

    class Meta:
        verbose_name = _("opt-out policy")
        verbose_name_plural = _("opt-out policy")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
