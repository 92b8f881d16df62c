"""Super-admins see organisations as those who pay."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("tariffs", "0002_segments"),
        ("tenants", "0005_access_tokens"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="OrganizationCredits",
            fields=[],
            options={
                "verbose_name": "credits",
                "verbose_name_plural": "credits",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("tenants.organization",),
        ),
    ]
