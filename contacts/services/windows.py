"""Service windows: when an address last wrote to a channel."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import connection


def windows_open(*, channel_id: int, openings: Iterable[tuple[str, datetime]]) -> None:
    """Open or extend the service windows of addresses at a channel. `openings`: (address, when they wrote)."""
    latest: dict[str, datetime] = {}
    for address, at in openings:
        latest[address] = max(at, latest.get(address, at))
    addresses = sorted(latest)
    if not addresses:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_servicewindow AS seen (channel_id, address, last_inbound_at)"
            " SELECT %s, address, at FROM unnest(%s::text[], %s::timestamptz[]) AS row(address, at) ORDER BY address"
            " ON CONFLICT (channel_id, address) DO UPDATE"
            " SET last_inbound_at = GREATEST(seen.last_inbound_at, excluded.last_inbound_at)",
            [channel_id, addresses, [latest[address] for address in addresses]],
        )
