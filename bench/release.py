"""A next release for benchmarks and tests: one app's migrations plus more, in a directory of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_MIGRATION: Final = '''"""Add a column."""
import time
from django.db import migrations, models

def wait(apps, editor):
    time.sleep({seconds})

class Migration(migrations.Migration):
    dependencies = [("{app}", "{after}")]
    operations = [
        migrations.AddField("{model}", "{column}", models.CharField(max_length=20, default="", db_index={index})),
        migrations.RunPython(wait, wait),
    ]
'''


class NextRelease:
    """`add` writes migrations of `app` that add a column to `model`; `start` and `run` are processes that have them.

    `environment`: what these processes need beside ours, such as DATABASE_URL. Django's settings are `settings` plus
    the place of the migrations.
    """

    def __init__(
        self,
        directory: Path,
        *,
        app: str,
        model: str,
        environment: Mapping[str, str],
        settings: str = "config.settings",
    ) -> None:
        self.directory, self.app, self.model = directory, app, model
        self._package = directory / f"moved_{app}"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / app / "migrations", self._package, ignore=ignore)
        (directory / "moved_settings.py").write_text(
            f"from {settings} import *\nMIGRATION_MODULES = {{{app!r}: 'moved_{app}'}}\n"
        )
        self.last = sorted(path.stem for path in self._package.glob("0*.py"))[-1]
        self.names: list[str] = []
        self.environment = {
            **environment,
            "PYTHONPATH": f"{directory}{os.pathsep}{ROOT}",
            "DJANGO_SETTINGS_MODULE": "moved_settings",
            "LOG_LEVEL": "WARNING",
        }

    def add(self, column: str, *, seconds: float = 0.0, index: bool = False) -> str:
        """A migration that adds `column` and takes that many seconds longer; returns its name."""
        name = f"{9000 + len(self.names)}_{column}"
        text = _MIGRATION.format(
            app=self.app,
            model=self.model,
            after=self.names[-1] if self.names else self.last,
            column=column,
            seconds=seconds,
            index=index,
        )
        (self._package / f"{name}.py").write_text(text)
        self.names.append(name)
        return name

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`python ARGUMENTS` in the project."""
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=os.environ | self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, timeout: float = 120) -> tuple[int, str, str]:
        """(exit code, output, errors) of `manage.py ARGUMENTS`."""
        process = self.start("manage.py", *arguments)
        output, errors = process.communicate(timeout=timeout)
        return process.returncode, output, errors
