"""Credit accounts and their ledger."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="CreditAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "membership_id",
                    models.BigIntegerField(blank=True, editable=False, null=True, verbose_name="sub-account"),
                ),
                ("label", models.CharField(blank=True, max_length=200, verbose_name="name")),
                (
                    "balance",
                    models.DecimalField(
                        db_default=0, decimal_places=4, default=0, max_digits=14, verbose_name="available"
                    ),
                ),
                ("is_active", models.BooleanField(db_default=True, default=True, verbose_name="charges")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="since"),
                ),
            ],
            options={
                "verbose_name": "credit account",
                "verbose_name_plural": "credit accounts",
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("balance__gte", 0)), name="credits_never_below_zero"),
                    models.UniqueConstraint(
                        fields=("membership_id",), name="credits_one_account_each", nulls_distinct=False
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("hold", "Reserved"),
                            ("settle", "Spent"),
                            ("release", "Given back"),
                            ("top_up", "Top-up"),
                            ("transfer", "Transfer"),
                            ("adjust", "Correction"),
                        ],
                        max_length=8,
                        verbose_name="what",
                    ),
                ),
                (
                    "amount",
                    models.DecimalField(
                        db_default=0, decimal_places=4, default=0, max_digits=14, verbose_name="available"
                    ),
                ),
                (
                    "held",
                    models.DecimalField(
                        db_default=0, decimal_places=4, default=0, max_digits=14, verbose_name="reserved"
                    ),
                ),
                ("messages", models.IntegerField(db_default=0, default=0, verbose_name="messages")),
                ("reference", models.CharField(max_length=100, null=True, unique=True, verbose_name="reference")),
                ("channel_id", models.BigIntegerField(blank=True, null=True, verbose_name="channel")),
                ("campaign_run_id", models.BigIntegerField(blank=True, null=True, verbose_name="run of a campaign")),
                ("bulk_uuid", models.UUIDField(blank=True, null=True, verbose_name="bulk")),
                ("reason", models.CharField(blank=True, db_default="", max_length=200, verbose_name="reason")),
                ("by", models.CharField(blank=True, db_default="", max_length=200, verbose_name="by")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="at")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="billing.creditaccount",
                        verbose_name="account",
                    ),
                ),
            ],
            options={
                "verbose_name": "ledger entry",
                "verbose_name_plural": "ledger",
                "ordering": ("-id",),
                "indexes": [
                    models.Index(fields=["account", "-id"], name="ledger_of_account"),
                    models.Index(fields=["kind", "-id"], name="ledger_of_kind"),
                ],
            },
        ),
    ]
