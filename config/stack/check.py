"""`make check`: every static check, all of them even when one fails, and a summary. Run it through `make check`."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time

from config.stack.paths import ROOT
from config.stack.secret_store import fernet_key

_PYTHON = sys.executable
_CHECKS = {
    "lint": [_PYTHON, "-m", "ruff", "check", "."],
    "format": [_PYTHON, "-m", "ruff", "format", "--check", "."],
    "types": [_PYTHON, "-m", "mypy", "."],
    "translations": [_PYTHON, "-m", "config.stack.catalogues", "--check"],
    "migrations": [_PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
}
_DEPLOY = [_PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]


def production_environment() -> dict[str, str]:
    """The current environment with the settings of a production machine, and secrets that nobody else knows."""
    production = {
        "GRIOT_ENV": "production",
        "DEBUG": "false",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
        "FIELD_ENCRYPTION_KEYS": fernet_key(),
        "PUBLIC_BASE_URL": "https://griot.example",
        "BASE_DOMAIN": "griot.example",
        "META_GRAPH_URL": "https://graph.facebook.com",
    }
    return {**os.environ, **production}


def main() -> int:
    """Run all checks in turn. Returns 0 when all passed, else 1."""
    failed = []
    for name, command in [*_CHECKS.items(), ("production settings", _DEPLOY)]:
        env = production_environment() if command is _DEPLOY else dict(os.environ)
        began = time.monotonic()
        print(f"== {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=env, check=False).returncode != 0:
            failed.append(name)
        print(f"   {name}: {'FAILED' if name in failed else 'ok'}, {time.monotonic() - began:.1f} s", flush=True)
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
