"""Keeping payloads within bounds: receivers and our memory are promised at most 256 KiB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

BODY_BYTES: Final = 256 * 1024
# What a payload may take before its surface's names and envelope are added.
PAYLOAD_BYTES: Final = 200_000
_CUTS_MOST: Final = 20
MARKER: Final[Mapping[str, Any]] = {"truncated": True}


def size_of(value: Any) -> int:
    """Bytes of `value` as JSON."""
    return len(orjson.dumps(value, default=str))


def payload_bounded(data: Mapping[str, Any], limit: int = PAYLOAD_BYTES) -> Mapping[str, Any]:
    """`data`, or a copy in which the largest values have given way to `MARKER` until it fits `limit` bytes of JSON.

    Objects give up their largest member rather than themselves, so that ids survive.
    """
    if size_of(data) <= limit:
        return data
    cut: dict[str, Any] = dict(data)
    for _ in range(_CUTS_MOST):
        path = _largest(cut)
        node: Any = cut
        for name in path[:-1]:
            node[name] = dict(node[name])
            node = node[name]
        node[path[-1]] = dict(MARKER)
        if size_of(cut) <= limit:
            return cut
    return MARKER


def _largest(data: Mapping[str, Any]) -> list[str]:
    """Where the largest value is: down through objects as long as one member makes up half of them."""
    name = max(data, key=lambda key: size_of(data[key]))
    value = data[name]
    if isinstance(value, Mapping) and value:
        path = _largest(value)
        if size_of(value[path[0]]) * 2 >= size_of(value):
            return [name, *path]
    return [name]


def without_nul(value: Any) -> Any:
    """JSON values without NUL characters, which jsonb does not know and customers' texts may have."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, Mapping):
        return {without_nul(key): without_nul(entry) for key, entry in value.items()}
    return [without_nul(entry) for entry in value] if isinstance(value, list) else value
