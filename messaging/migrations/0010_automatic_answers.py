"""Messages that the platform writes by itself, such as the confirmation of an opt-out."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("messaging", "0009_marketing_messages"),
    ]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="message",
            name="origin",
            field=models.CharField(
                choices=[
                    ("api", "API"),
                    ("otp", "One-time password"),
                    ("admin", "Admin"),
                    ("campaign", "Campaign"),
                    ("customer", "Customer"),
                    ("app", "Another app"),
                    ("auto", "Automatic answer"),
                ],
                max_length=10,
                verbose_name="origin",
            ),
        ),
    ]
