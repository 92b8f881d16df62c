"""Values as they may be kept: no secrets, nothing without end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

REDACTED: Final = "[redacted]"
# "number" and "phone" stay: they are what the entry is about. Keys end in _id where they name a row, not a secret.
_SECRET: Final = re.compile(
    r"(password|passwd|secret|token|authorization|api_?key|access_?key|private|credential|pin$|otp|code_hash)",
    re.IGNORECASE,
)
_HARMLESS: Final = re.compile(r"_(id|count|limit|hash_algorithm)$", re.IGNORECASE)
_MAX_TEXT: Final = 2000
_MAX_ITEMS: Final = 200


def redacted(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`values` with secrets blanked by their name, at any depth, and long texts and lists cut; JSON types only."""
    return None if values is None else _mapping(values)


def _mapping(values: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in list(values.items())[:_MAX_ITEMS]:
        name = str(key)
        secret = bool(_SECRET.search(name)) and not _HARMLESS.search(name)
        found[name] = (REDACTED if value not in (None, "", {}, []) else value) if secret else _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
        rest = [f"… {len(items) - _MAX_ITEMS} more"] if len(items) > _MAX_ITEMS else []
        return [_plain(item) for item in items[:_MAX_ITEMS]] + rest
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    text = str(value).replace("\x00", "")
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
