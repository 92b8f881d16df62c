"""The platform's price list."""

from __future__ import annotations

from typing import ClassVar

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar = [
        ("tenants", "0004_gateway_keys"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Tariff",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "country",
                    models.CharField(
                        blank=True,
                        help_text="Two letters, such as GA. Empty: every country.",
                        max_length=2,
                        verbose_name="country",
                    ),
                ),
                (
                    "operator",
                    models.CharField(
                        blank=True,
                        help_text="Such as airtel, together with a country. Empty: every operator.",
                        max_length=40,
                        verbose_name="operator",
                    ),
                ),
                ("channel_kind", models.CharField(blank=True, max_length=32, verbose_name="kind of channel")),
                (
                    "channel_id",
                    models.BigIntegerField(
                        blank=True,
                        help_text="The number of one channel of the organisation.",
                        null=True,
                        verbose_name="channel",
                    ),
                ),
                (
                    "category",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("marketing", "Marketing"),
                            ("utility", "Utility"),
                            ("authentication", "One-time passwords"),
                            ("service", "Conversation"),
                        ],
                        max_length=16,
                        verbose_name="category",
                    ),
                ),
                (
                    "price",
                    models.DecimalField(
                        decimal_places=4,
                        max_digits=14,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="price in credits",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        choices=[("message", "Message"), ("segment", "Segment of a text message")],
                        default="message",
                        max_length=8,
                        verbose_name="per",
                    ),
                ),
                (
                    "valid_from",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="A later price for the same takes the place of an earlier one.",
                        verbose_name="valid from",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="created"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: for all of them. A price of the organisation's own wins over every general one.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tariffs",
                        to="tenants.organization",
                        verbose_name="organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "tariff",
                "verbose_name_plural": "tariffs",
                "ordering": ("country", "operator", "-valid_from", "-id"),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("price__gte", 0)), name="tariff_price_not_negative"),
                    models.CheckConstraint(
                        condition=models.Q(("operator", ""), models.Q(("country", ""), _negated=True), _connector="OR"),
                        name="tariff_operator_with_country",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("channel_id", None), ("organization__isnull", False), _connector="OR"),
                        name="tariff_channel_with_organization",
                    ),
                ],
            },
        ),
    ]
