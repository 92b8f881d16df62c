"""Finding contacts by the beginning of their e-mail address, at a million rows."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("contacts", "0004_groups_fields_segments")]
    operations: ClassVar = [
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(fields=["email"], name="contact_email_start", opclasses=["varchar_pattern_ops"]),
        ),
    ]
