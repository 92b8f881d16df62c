from __future__ import annotations

import ast
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]


def variables_read() -> dict[str, ast.Call]:
    """Name -> call of every `env.<reader>("NAME", ...)` in the settings."""
    tree = ast.parse((ROOT / "config" / "settings.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    readers = [call for call in calls if isinstance(call.func.value, ast.Name) and call.func.value.id == "env"]  # type: ignore[attr-defined]
    # The last one counts: a variable read twice is required when its innermost reader gives no default.
    return {ast.literal_eval(call.args[0]): call for call in readers}


def documented() -> dict[str, str]:
    """Name -> default column of the reference's tables of settings."""
    text = (ROOT / "docs" / "settings.md").read_text().split("## Only for")[0]
    return dict(re.findall(r"^\| `([A-Z0-9_]+)` \| ([^|]*) \|", text, re.MULTILINE))


def test_the_reference_lists_exactly_the_variables_that_the_settings_read() -> None:
    assert set(documented()) == set(variables_read())


def test_exactly_the_variables_without_a_default_are_said_to_be_required() -> None:
    with_default = {name for name, call in variables_read().items() if len(call.args) > 1}
    # A list without a default is empty, not missing.
    lists = {name for name, call in variables_read().items() if call.func.attr == "words"}  # type: ignore[attr-defined]
    required = {name for name, default in documented().items() if default.strip() == "required"}
    assert required == set(variables_read()) - with_default - (lists - {"FIELD_ENCRYPTION_KEYS"})


def production(**changes: str | None) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "GRIOT_ENV": "production",
        "DEBUG": "false",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "PUBLIC_BASE_URL": "https://griot.example",
        "BASE_DOMAIN": "griot.example",
    }
    environment |= {name: value for name, value in changes.items() if value is not None}
    for name in [name for name, value in changes.items() if value is None]:
        environment.pop(name, None)
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_production_settings_pass_django_s_deployment_checks() -> None:
    done = production()
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("DJANGO_SECRET_KEY", "short", "at least 50 characters"),
        ("DJANGO_SECRET_KEY", None, "DJANGO_SECRET_KEY is required"),
        ("FIELD_ENCRYPTION_KEYS", None, "FIELD_ENCRYPTION_KEYS is required"),
        ("DEBUG", "true", "DEBUG=true is refused in production"),
        ("DEBUG", "yes-please", "DEBUG='yes-please': expected true or false"),
        ("DISPATCH_BATCH", "12x", "DISPATCH_BATCH='12x': expected a whole number"),
        ("EMAIL_PORT", "70000", "EMAIL_PORT=70000: expected 1 to 65535"),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL: expected a postgresql:// URL"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_clear_line(name: str, value: str | None, line: str) -> None:
    done = production(**{name: value})
    assert done.returncode != 0
    assert done.stderr.startswith("configuration: ") and line in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_secret_may_come_from_a_file_but_not_from_both(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(secrets.token_urlsafe(60) + "\n")
    both = production(DJANGO_SECRET_KEY_FILE=str(key))
    assert "DJANGO_SECRET_KEY and DJANGO_SECRET_KEY_FILE are both set" in both.stderr
    missing = production(DJANGO_SECRET_KEY=None, DJANGO_SECRET_KEY_FILE=str(tmp_path / "nothing"))
    assert "cannot read" in missing.stderr
    fine = production(DJANGO_SECRET_KEY=None, DJANGO_SECRET_KEY_FILE=str(key))
    assert "configuration:" not in fine.stderr
