"""Messages know who pays what for them and what became of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("contacts", "0006_opt_out_policy"),
        ("messaging", "0012_messages_of_members"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="message",
            name="credit_account_id",
            field=models.BigIntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="credit_state",
            field=models.CharField(
                blank=True,
                choices=[("held", "Reserved"), ("settled", "Spent"), ("released", "Given back")],
                editable=False,
                max_length=8,
                null=True,
                verbose_name="credits",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="price",
            field=models.DecimalField(
                blank=True, decimal_places=4, editable=False, max_digits=14, null=True, verbose_name="price"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("credit_state", "held")),
                fields=["credit_account_id"],
                include=("price",),
                name="message_held_credits",
            ),
        ),
    ]
