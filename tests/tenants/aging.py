"""Rows of long ago, and what takes them away."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

from django.db import connection

from messaging.models import Message
from tenants.services.retention import Slice, retention_run


def aged(at: datetime) -> UUID:
    """A UUIDv7 as it would have been made at `at`."""
    random = secrets.randbits(74)
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1)


def run(schema: str | None = None, seconds: float = 60) -> Slice:
    """One slice of retention in `schema`, by default the current one."""
    return retention_run(schema=schema or connection.schema_name, seconds=seconds)


def texts() -> list[bool]:
    """Of every message, oldest first: whether its text is still there."""
    return ["text" in content for content in Message.objects.order_by("queued_at").values_list("content", flat=True)]
