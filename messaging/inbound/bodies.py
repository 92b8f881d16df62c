"""Reading the raw body of a webhook. What arrives is signed, not flawless."""

from __future__ import annotations

import json
from typing import Any

import orjson


def body_read(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, or None when there is none.

    Half a surrogate pair in one customer's text makes a strict parser refuse a body with a thousand other updates: such
    characters are replaced and everything else is kept.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        payload = _lenient(body)
    return payload if isinstance(payload, dict) else None


def _lenient(body: bytes) -> Any:
    try:
        return _scrub(json.loads(body))
    except (ValueError, RecursionError):
        return None


def _scrub(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_scrub(key): _scrub(entry) for key, entry in value.items()}
    return [_scrub(entry) for entry in value] if isinstance(value, list) else value
