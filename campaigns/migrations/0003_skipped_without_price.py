"""Recipients may be skipped because there is no price for them."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("campaigns", "0002_text_templates"),
    ]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="skippedrecipient",
            name="reason",
            field=models.CharField(
                choices=[
                    ("suppressed", "Blocked, or opted out of everything"),
                    ("no_price", "No price for this destination"),
                    ("opted_out", "Opted out of marketing"),
                    ("window_closed", "Has not written within the last 24 hours"),
                    ("no_address", "Cannot be reached through this channel"),
                    ("invalid_phone", "Not a phone number"),
                    ("inactive", "The contact is inactive"),
                    ("recipient_is_sender", "The channel's own number"),
                    ("invalid_content", "The text with their values cannot be sent"),
                    ("duplicate", "Is on the list more than once"),
                    ("unusable", "Their data cannot be used"),
                ],
                max_length=20,
                verbose_name="reason",
            ),
        ),
    ]
