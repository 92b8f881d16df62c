"""Messages know whether they are marketing, so that opt-outs hold them back even when they wait already."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("messaging", "0008_media_files")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="message",
            name="is_marketing",
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name="marketing"),
        ),
    ]
