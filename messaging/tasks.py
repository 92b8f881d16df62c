"""Housekeeping of the messaging tables, for every active organisation."""

from __future__ import annotations

from celery import shared_task
from django.db import connection
from psycopg import sql

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

# Tables of delta counters -> what one row stands for after the squash.
_COUNTERS = {
    "messaging_channelcount": ("channel_id", "hour", "metric"),
    "messaging_runcount": ("run_id", "variant_id", "minute", "metric"),
}

# A table is looked at when this many counter rows were written since the last squash.
_WORTH = 200


@shared_task(name="messaging.tasks.counts_squash")
def counts_squash() -> None:
    """Add up the counter rows written since the last time: one row per key of each table of counters remains.

    PostgreSQL's own statistics say which organisations wrote enough, so idle ones cost nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT schemaname, relname FROM pg_stat_user_tables
               WHERE relname = ANY(%s) AND n_mod_since_analyze >= %s""",
            [list(_COUNTERS), _WORTH],
        )
        found = cursor.fetchall()
    for schema, table in found:
        counts_squash_schema(schema, table)


def counts_squash_schema(schema: str, table: str = "messaging_channelcount") -> None:
    """Squash one organisation's counters in bounded batches; the sums stay the same at every moment."""
    names = {"schema": sql.Identifier(schema), "table": sql.Identifier(table)}
    key = sql.SQL(", ").join(map(sql.Identifier, _COUNTERS[table]))
    with connection.cursor() as cursor:
        while True:
            cursor.execute(sql.SQL(_SQUASH).format(key=key, **names).as_string(None), {"batch": _BATCH})
            if cursor.rowcount == 0:
                break
        # Resets the statistics that decide whether to come again.
        cursor.execute(sql.SQL("ANALYZE {schema}.{table}").format(**names).as_string(None))
