"""Events that nobody has finished: the broker was away, a worker died, or the database refused."""

from __future__ import annotations

from typing import Final

from django.db import connection

# `processed_at` of an open event is its last try. Taken up again: what was never tried after 10 s, and then
# once a minute, so that a long queue is not filled with doubles; what failed after 10 s, 20 s, 40 s ... up to an hour.
_TAKE = """
UPDATE public.tenants_inboundevent SET processed_at = now()
WHERE id IN (
    SELECT id FROM public.tenants_inboundevent
    WHERE (status = 'received' AND received_at < now() - interval '10 seconds'
           AND (processed_at IS NULL OR processed_at < now() - interval '60 seconds'))
       OR (status = 'failed'
           AND processed_at < now() - LEAST(interval '10 seconds' * power(2, LEAST(attempts, 10) - 1),
                                            interval '1 hour'))
    ORDER BY received_at LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_LIMIT: Final = 500


def events_left_behind(*, limit: int = _LIMIT) -> list[int]:
    """Ids of events to process again, oldest first; each is handed out to one caller only for the next minute."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [limit])
        return sorted(event_id for (event_id,) in cursor.fetchall())
