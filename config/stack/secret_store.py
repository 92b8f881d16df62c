"""Secrets of a development installation: made once at random, kept in `var/secrets.json`."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from config.stack.paths import private_write


def fernet_key() -> str:
    """A new key for field encryption."""
    # 32 random bytes in URL-safe base64 (Fernet specification).
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


_MAKERS: dict[str, Callable[[], str]] = {
    "DJANGO_SECRET_KEY": lambda: secrets.token_urlsafe(60),
    "FIELD_ENCRYPTION_KEYS": fernet_key,
    "META_APP_SECRET": lambda: secrets.token_hex(16),
    "META_VERIFY_TOKEN": lambda: secrets.token_urlsafe(24),
}


def secrets_load(path: Path) -> dict[str, str]:
    """The stored secrets by variable name; missing ones are made and stored (mode 0600)."""
    try:
        stored: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError:
        stored = {}
    missing = {name: make() for name, make in _MAKERS.items() if name not in stored}
    if missing:
        stored |= missing
        private_write(path, json.dumps(stored, indent=1))
    return stored
