"""Messages page by page, newest first, by filters that no index covers: bounded work per page, never a full scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from messaging.models import Message

# How many of the newest rows one page with filters looks at; the next page goes on from there.
WINDOW: Final = 5_000

_OF_CHANNELS: Final = """
    SELECT message.id, message.direction, message.status
    FROM unnest(%(channels)s::bigint[]) AS chosen(channel)
    CROSS JOIN LATERAL (
        SELECT id, direction, status FROM messaging_message
        WHERE channel_id = chosen.channel AND (%(before)s::bigint IS NULL OR id < %(before)s)
        ORDER BY id DESC LIMIT %(window)s) AS message
    ORDER BY message.id DESC LIMIT %(window)s
"""
_OF_ALL: Final = """
    SELECT id, direction, status FROM messaging_message
    WHERE %(before)s::bigint IS NULL OR id < %(before)s
    ORDER BY id DESC LIMIT %(window)s
"""
_PAGE: Final = """
WITH seen AS MATERIALIZED ({seen})
SELECT ARRAY(SELECT id FROM seen
             WHERE (%(direction)s::text IS NULL OR direction = %(direction)s)
               AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
             ORDER BY id DESC LIMIT %(limit)s),
       (SELECT min(id) FROM seen), (SELECT count(*) FROM seen)
"""


@dataclass(frozen=True, slots=True)
class MessagePage:
    """`next_before` goes into the next call; None when nothing older is left."""

    messages: list[Message]
    next_before: int | None


def messages_page(
    *,
    channel_ids: Sequence[int] | None,
    direction: str | None,
    statuses: Sequence[str] | None,
    before: int | None,
    limit: int,
) -> MessagePage:
    """Up to `limit` messages older than the internal id `before`, with their channels and customers.

    `channel_ids` None: of all channels. With filters a page looks at WINDOW rows at most and may hold fewer than
    `limit`, even none, while there are older ones.
    """
    if channel_ids is not None and not channel_ids:
        return MessagePage([], None)
    window = limit + 1 if direction is None and statuses is None else max(WINDOW, limit + 1)
    statement = _PAGE.format(seen=_OF_ALL if channel_ids is None else _OF_CHANNELS)
    values: dict[str, Any] = {
        "channels": list(channel_ids or ()),
        "direction": direction,
        "statuses": list(statuses) if statuses is not None else None,
        "before": before,
        "window": window,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        ids, oldest, seen = cursor.fetchone()
    rows = Message.objects.filter(pk__in=ids).select_related("channel__customer").order_by("-id")
    if len(ids) == limit:
        return MessagePage(list(rows), ids[-1] if ids[-1] != oldest or seen == window else None)
    return MessagePage(list(rows), oldest if seen == window else None)
