"""What an organisation knows better about operators than the platform's table."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class OperatorPrefix(models.Model):
    """Numbers that begin with `prefix` belong to `operator`, whatever the platform's table says."""

    prefix = models.CharField(
        _("beginning of the number"),
        max_length=15,
        unique=True,
        validators=[RegexValidator(r"^[1-9][0-9]*$", _("Digits with the country code, without + and 00."))],
        help_text=_("With the country code, digits only, such as 24162. The longest one that fits counts."),
    )
    operator = models.CharField(
        _("operator"),
        max_length=40,
        validators=[
            RegexValidator(r"^[a-z0-9]+(_[a-z0-9]+)*$", _("Lower-case letters and digits, words joined by _."))
        ],
        help_text=_("As the APIs and tariffs spell it: airtel, moov, orange, unknown."),
    )
    note = models.CharField(_("note"), max_length=200, blank=True, db_default="")
    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_default=Now())

    class Meta:
        verbose_name = _("operator prefix")
        verbose_name_plural = _("operator prefixes")
        ordering = ("prefix",)

    def __str__(self) -> str:
        return f"{self.prefix} {self.operator}"
