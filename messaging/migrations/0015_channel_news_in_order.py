"""Channels know the provider's times of the newest news about their quality and their messaging limit."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("messaging", "0014_template_news_in_order")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="channel",
            name="quality_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="channel",
            name="limit_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
