"""Reports of the form "everything up to this moment": turned into reports on the messages that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import connection

from messaging.drivers.base import StatusUpdate, Watermark

# Messages that have the status already are left out, so a repeated watermark finds nothing.
_REACHED: Final = """
SELECT message.provider_id, mark.status, mark.up_to
FROM unnest(%(statuses)s::text[], %(addresses)s::text[], %(up_to)s::timestamptz[]) AS mark(status, address, up_to)
JOIN messaging_message message
  ON message.address = mark.address AND message.channel_id = %(channel)s AND message.direction = 'out'
 AND message.sent_at <= mark.up_to AND message.provider_id IS NOT NULL
WHERE message.status = 'sent' OR (mark.status = 'read' AND message.status = 'delivered')
ORDER BY message.id
"""

_ON_ITS_WAY: Final = """
SELECT EXISTS (
    SELECT 1 FROM messaging_message
    WHERE channel_id = %s AND status IN ('processing', 'in_doubt') AND provider_id IS NULL AND claimed_at <= %s)
"""


def watermarks_resolve(*, channel_id: int, marks: Sequence[Watermark]) -> list[StatusUpdate]:
    """One report for each message of the channel that `marks` are about and that has not come as far yet."""
    latest: dict[tuple[str, str], Watermark] = {}
    for mark in marks:
        known = latest.get((mark.status, mark.address))
        if known is None or known.up_to < mark.up_to:
            latest[mark.status, mark.address] = mark
    chosen = list(latest.values())
    with connection.cursor() as cursor:
        cursor.execute(
            _REACHED,
            {
                "channel": channel_id,
                "statuses": [mark.status for mark in chosen],
                "addresses": [mark.address for mark in chosen],
                "up_to": [mark.up_to for mark in chosen],
            },
        )
        return [StatusUpdate(provider_id, status, up_to) for provider_id, status, up_to in cursor.fetchall()]


def is_unsettled(*, channel_id: int, since: datetime) -> bool:
    """Whether a message that left before `since` has no answer yet: a report may be about it, and must come again."""
    with connection.cursor() as cursor:
        cursor.execute(_ON_ITS_WAY, [channel_id, since])
        row = cursor.fetchone()
    return bool(row and row[0])
