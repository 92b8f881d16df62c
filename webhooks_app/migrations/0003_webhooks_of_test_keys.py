"""Webhooks know whether a test key registered them: those hear of sandbox channels only."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("webhooks_app", "0002_delivery_names_its_event")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="endpoint",
            name="test_only",
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name="test"),
        )
    ]
