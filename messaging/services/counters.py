"""Adding up delta counters, for organisations that have counted something."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.utils import timezone
from psycopg import sql

from tenants.agenda import agenda_handler, agenda_note

# Rows per statement; the squash of one organisation never holds locks on more.
_BATCH = 5000

_SQUASH = """
WITH taken AS (
    DELETE FROM {schema}.{table} WHERE id IN (
        SELECT id FROM {schema}.{table}
        WHERE ({key}) IN (SELECT {key} FROM {schema}.{table} WHERE NOT squashed ORDER BY id LIMIT %(batch)s)
        ORDER BY id FOR UPDATE SKIP LOCKED)
    RETURNING {key}, count, squashed)
INSERT INTO {schema}.{table} ({key}, count, squashed)
SELECT {key}, sum(count), true FROM taken GROUP BY {key}
"""

_WRITTEN = "SELECT count(*) FROM (SELECT FROM {schema}.{table} WHERE NOT squashed LIMIT %s) AS written"

# Tables of delta counters -> what one row stands for after the squash.
_COUNTERS = {
    "messaging_channelcount": ("channel_id", "hour", "metric"),
    "messaging_runcount": ("run_id", "variant_id", "minute", "metric"),
}

COUNTS_SQUASH: Final = "counts_squash"
# So many rows since the last time mean that more are coming; fewer can wait.
_MANY: Final = 200
_SOON: Final = timedelta(seconds=30)
_LATER: Final = timedelta(minutes=5)


def counts_note(*, schema: str) -> None:
    """After counter rows were committed: have them added up within half a minute. Cheap enough for every batch."""
    agenda_note(schema=schema, kind=COUNTS_SQUASH, within=_SOON)


@agenda_handler(COUNTS_SQUASH)
def counts_squash(schema: str, key: str) -> datetime | None:
    """Agenda: add up the counter rows of `schema`, which is entered. It comes again until there is nothing to add up.

    An organisation that is idle has no item and costs nothing. A row that is committed between our look and the end of
    the item waits for the organisation's next batch; the sums are right all the same.
    """
    written = sum(counts_squash_schema(schema, table) for table in _COUNTERS)
    if not written:
        return None
    return timezone.now() + (_SOON if written >= _MANY else _LATER)


def counts_squash_schema(schema: str, table: str = "messaging_channelcount") -> int:
    """Squash one organisation's counters in bounded batches; the sums stay the same at every moment.

    One row per key of the table of counters remains. Returns how many rows there were to add up, at most about _MANY.
    """
    names = {"schema": sql.Identifier(schema), "table": sql.Identifier(table)}
    key = sql.SQL(", ").join(map(sql.Identifier, _COUNTERS[table]))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(_WRITTEN).format(**names).as_string(None), [_MANY])
        written = int(cursor.fetchone()[0])
        while written:
            cursor.execute(sql.SQL(_SQUASH).format(key=key, **names).as_string(None), {"batch": _BATCH})
            if cursor.rowcount == 0:
                break
    return written
