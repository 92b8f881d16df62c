"""Finding contacts by the beginning of their name, in the admin, at a million rows."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("contacts", "0002_initial")]
    operations: ClassVar = [
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(fields=["name"], name="contact_name_start", opclasses=["varchar_pattern_ops"]),
        ),
    ]
