"""The plural of a ledger entry."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("billing", "0002_ledger_is_final"),
    ]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="ledgerentry",
            options={"ordering": ("-id",), "verbose_name": "ledger entry", "verbose_name_plural": "ledger entries"},
        ),
    ]
