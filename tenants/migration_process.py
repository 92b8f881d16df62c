"""What a process of `migrate --parallel N` runs. Nothing of Django is imported before `begin`: it starts fresh."""

from __future__ import annotations

from typing import Any


def begin(database: str) -> None:
    """Prepare the process for the database of this name (tests use another one than the settings say)."""
    import django

    django.setup()
    from django.db import connection

    connection.settings_dict["NAME"] = database


def migrate(schema: str, options: dict[str, Any]) -> tuple[str, str, float]:
    """`schema_migrate` in this process: (schema, reason of the failure or "", seconds)."""
    from tenants.management.commands.migrate import schema_migrate

    return schema_migrate(schema, options)
