"""What an organisation keeps about its contacts beyond name, phone and e-mail."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class CustomField(models.Model):
    """A typed field: `key` names it in `Contact.custom`, in `{custom.key}` of a text, in imports and in the APIs."""

    class Type(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        BOOLEAN = "boolean", _("Yes or no")
        CHOICE = "choice", _("One of a list")

    key = models.CharField(
        _("key"),
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", _("Lower-case letters, digits and _, a letter first."))],
        help_text=_("Used in texts as {custom.key}."),
    )
    label = models.CharField(_("label"), max_length=80, blank=True)
    type = models.CharField(_("type"), max_length=8, choices=Type.choices, default=Type.TEXT)
    choices = models.JSONField(_("choices"), default=list, blank=True, help_text=_("For a list: the values allowed."))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("custom field")
        verbose_name_plural = _("custom fields")
        ordering = ("key",)

    def __str__(self) -> str:
        return self.label or self.key
