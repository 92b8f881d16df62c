"""Which recipients of a campaign's run failed is answered by an index of its own."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("messaging", "0017_watch_tokens")]

    operations: ClassVar = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["campaign_run_id", "address"],
                name="message_run_failed",
                condition=models.Q(("campaign_run_id__isnull", False), ("status", "failed")),
            ),
        ),
    ]
