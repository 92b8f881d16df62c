"""Channels know since when their access token is in force, when it ends and what is wrong with it."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("messaging", "0015_channel_news_in_order")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="channel",
            name="token_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="channel",
            name="token_expires_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="token valid until"),
        ),
        migrations.AddField(
            model_name="channel",
            name="token_problem",
            field=models.CharField(
                blank=True, db_default="", editable=False, max_length=300, verbose_name="problem of the token"
            ),
        ),
    ]
