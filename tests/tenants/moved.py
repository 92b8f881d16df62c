"""A next release: otp's migrations plus more, in a directory of their own, run by processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from tenants.models import Organization
from tenants.services.schemas import code_digest

ROOT = Path(__file__).resolve().parents[2]
_MIGRATION = """
import time
from django.db import migrations, models

def wait(apps, editor):
    time.sleep({seconds})

class Migration(migrations.Migration):
    dependencies = [("otp", "{after}")]
    operations = [
        migrations.AddField("otppolicy", "{column}", models.CharField(max_length=20, default="", db_index=True)),
        migrations.RunPython(wait, wait),
    ]
"""


class NextRelease:
    """`NextRelease(directory)` adds migrations; `start` and `run` are processes with them on the test database."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._package = directory / "moved_otp"
        shutil.copytree(ROOT / "otp" / "migrations", self._package, ignore=shutil.ignore_patterns("__pycache__"))
        (directory / "moved_settings.py").write_text(
            "from config.settings import *\nMIGRATION_MODULES = {'otp': 'moved_otp'}\n"
        )
        self._last = sorted(path.stem for path in self._package.glob("0*.py"))[-1]
        self.names: list[str] = []

    def add(self, column: str, *, seconds: float = 0.0) -> str:
        """A migration that adds `column` to the policy of one-time passwords and takes a while; returns its name."""
        name = f"{9000 + len(self.names)}_{column}"
        text = _MIGRATION.format(after=self.names[-1] if self.names else self._last, column=column, seconds=seconds)
        (self._package / f"{name}.py").write_text(text)
        self.names.append(name)
        return name

    def environment(self) -> dict[str, str]:
        """What a process needs to run with the next release's migrations on the test database."""
        database = {**settings.DATABASES["default"], "NAME": connection.settings_dict["NAME"]}
        return {
            "DATABASE_URL": "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database),
            "PYTHONPATH": f"{self.directory}{os.pathsep}{ROOT}",
            "DJANGO_SETTINGS_MODULE": "moved_settings",
            "LOG_LEVEL": "WARNING",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`python ARGUMENTS` in the project, in that environment."""
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=os.environ | self.environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """(exit code, output, errors) of `manage.py ARGUMENTS`."""
        process = self.start("manage.py", *arguments)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    def undo(self) -> None:
        """Take the added columns and their records out of every schema, and set the digests back."""
        connection.set_schema_to_public()
        with connection.cursor() as cursor:
            cursor.execute("SELECT nspname FROM pg_namespace WHERE to_regclass(nspname || '.django_migrations') > 0")
            for (schema,) in cursor.fetchall():
                cursor.execute(f"DELETE FROM {schema}.django_migrations WHERE app = 'otp' AND name >= '9'")
                for name in self.names:
                    column = name.partition("_")[2]
                    cursor.execute(f"ALTER TABLE IF EXISTS {schema}.otp_otppolicy DROP COLUMN IF EXISTS {column}")
        Organization.objects.exclude(schema_name="public").update(schema_digest=code_digest())


def applied(schema: str, name: str) -> list[Any]:
    """When the migration was applied in `schema`, once for each record."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT applied FROM {schema}.django_migrations WHERE name = %s", [name])
        return [row[0] for row in cursor.fetchall()]


def has_column(schema: str, column: str) -> bool:
    """Whether the policy of one-time passwords has `column`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = 'otp_otppolicy' AND column_name = %s",
            [schema, column],
        )
        return cursor.fetchone() is not None
