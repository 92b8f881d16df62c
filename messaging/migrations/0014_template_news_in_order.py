"""Templates know the provider's time of the newest news that was applied."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("messaging", "0013_message_credits")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="messagetemplate",
            name="news_at",
            field=models.DateTimeField(editable=False, null=True),
        )
    ]
