"""Deliveries keep their event's id without a foreign key: the column stays as it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webhooks_app", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField("delivery", "event"),
                migrations.AddField(
                    "delivery", "event_id", models.BigIntegerField(editable=False, default=0), preserve_default=False
                ),
            ]
        )
    ]
