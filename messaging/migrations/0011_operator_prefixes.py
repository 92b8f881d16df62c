"""Operators of numbers, where an organisation knows better than the carrier data."""

from __future__ import annotations

from typing import ClassVar

import django.core.validators
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("messaging", "0010_automatic_answers"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="OperatorPrefix",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "prefix",
                    models.CharField(
                        help_text="With the country code, digits only, such as 24162. The longest one that fits counts.",
                        max_length=15,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[1-9][0-9]*$", "Digits with the country code, without + and 00."
                            )
                        ],
                        verbose_name="beginning of the number",
                    ),
                ),
                (
                    "operator",
                    models.CharField(
                        help_text="As the APIs and tariffs spell it: airtel, moov, orange, unknown.",
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]+(_[a-z0-9]+)*$", "Lower-case letters and digits, words joined by _."
                            )
                        ],
                        verbose_name="operator",
                    ),
                ),
                ("note", models.CharField(blank=True, db_default="", max_length=200, verbose_name="note")),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True, db_default=django.db.models.functions.datetime.Now(), verbose_name="created"
                    ),
                ),
            ],
            options={
                "verbose_name": "operator prefix",
                "verbose_name_plural": "operator prefixes",
                "ordering": ("prefix",),
            },
        ),
    ]
