"""Rows of long ago."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID


def aged(at: datetime) -> UUID:
    """A UUIDv7 as it would have been made at `at`."""
    random = secrets.randbits(74)
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1)
