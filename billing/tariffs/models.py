"""What a message costs: the platform's price list, in the public schema, because organisations do not set prices."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.models import Organization


class Tariff(models.Model):
    """One price. An empty field means "any"; which of several applies is decided in `billing.pricing`."""

    class Unit(models.TextChoices):
        MESSAGE = "message", _("Message")
        SEGMENT = "segment", _("Segment of a text message")

    class Category(models.TextChoices):
        MARKETING = "marketing", _("Marketing")
        UTILITY = "utility", _("Utility")
        AUTHENTICATION = "authentication", _("One-time passwords")
        SERVICE = "service", _("Conversation")

    organization = models.ForeignKey(
        Organization,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="tariffs",
        verbose_name=_("organisation"),
        help_text=_("Empty: for all of them. A price of the organisation's own wins over every general one."),
    )
    country = models.CharField(
        _("country"), max_length=2, blank=True, help_text=_("Two letters, such as GA. Empty: every country.")
    )
    operator = models.CharField(
        _("operator"),
        max_length=40,
        blank=True,
        help_text=_("Such as airtel, together with a country. Empty: every operator."),
    )
    channel_kind = models.CharField(_("kind of channel"), max_length=32, blank=True)
    channel_id = models.BigIntegerField(
        _("channel"), null=True, blank=True, help_text=_("The number of one channel of the organisation.")
    )
    category = models.CharField(_("category"), max_length=16, choices=Category.choices, blank=True)
    price = models.DecimalField(
        _("price in credits"), max_digits=14, decimal_places=4, validators=[MinValueValidator(0)]
    )
    unit = models.CharField(_("per"), max_length=8, choices=Unit.choices, default=Unit.MESSAGE)
    valid_from = models.DateTimeField(
        _("valid from"), db_default=Now(), help_text=_("A later price for the same takes the place of an earlier one.")
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("tariff")
        verbose_name_plural = _("tariffs")
        ordering = ("country", "operator", "-valid_from", "-id")
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=models.Q(price__gte=0), name="tariff_price_not_negative"),
            models.CheckConstraint(
                condition=models.Q(operator="") | ~models.Q(country=""), name="tariff_operator_with_country"
            ),
            models.CheckConstraint(
                condition=models.Q(channel_id=None) | models.Q(organization__isnull=False),
                name="tariff_channel_with_organization",
            ),
        ]

    def __str__(self) -> str:
        where = " ".join(filter(None, (self.country, self.operator, self.channel_kind, self.category)))
        return f"{where or _('everything')}: {self.price}"


class OrganizationCredits(Organization):
    """An organisation, seen by super-admins as somebody who pays."""

    class Meta:
        proxy = True
        verbose_name = _("credits")
        verbose_name_plural = _("credits")
