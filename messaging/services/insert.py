"""The one statement that puts messages into a queue, counts them and makes sure that the lane will be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import orjson
from django.conf import settings
from psycopg import sql

from billing.amounts import insufficient
from billing.credits_sql import HOLD, SHORT
from billing.services.payers import balance_of
from config.postgresql.statements import statement_cursor

# Shared by everything that inserts messages: conditions on a row `given`, and what follows the insert.
# Who must not be written to is held back by the statement itself: no look-up before it, and no gap between the two.
SUPPRESSED = """EXISTS (SELECT 1 FROM {schema}.contacts_suppression suppression
                      WHERE suppression.address = given.address AND suppression.scope = 'all')"""
OPTED_OUT = """EXISTS (SELECT 1 FROM {schema}.contacts_suppression suppression
                      WHERE suppression.address = given.address AND suppression.scope = 'marketing')"""
WINDOW_OPEN = """EXISTS (
          SELECT 1 FROM {schema}.contacts_servicewindow service_window
          WHERE service_window.channel_id = %(channel)s AND service_window.address = given.address
            AND service_window.last_inbound_at > %(window_from)s)"""
# `inserted` is what went in, `{due}` when the first of it may go (NULL: now).
# The lane's row is written only when nobody is due to look at it soon: a hot row would make all senders queue for it.
# What `due_at` may then be, and why no message is forgotten, is in docs/engine.md, "No lost wake-up".
COUNTED = """counted AS (
    INSERT INTO {schema}.messaging_channelcount (channel_id, hour, metric, count)
    SELECT %(channel)s, date_trunc('hour', now()), 'accepted', count(*) FROM inserted HAVING count(*) > 0)"""
LOOKED_AFTER = """looked_after AS (
    UPDATE public.tenants_agendaitem SET due_at = COALESCE({due}, now() + interval '5 seconds')
    WHERE schema = %(schema)s AND kind = 'channel' AND key = %(key)s
      AND (due_at IS NULL OR due_at > COALESCE({due}, now() + interval '5 seconds')))"""

_INSERT = """
WITH given AS (
    SELECT * FROM json_to_recordset(%(rows)s::json)
        AS row(uuid uuid, contact bigint, address text, type text, content jsonb, window_from timestamptz,
               marketing boolean{price_row})),
{hold}inserted AS (
    INSERT INTO {schema}.messaging_message
        (uuid, channel_id, contact_id, direction, status, priority, address, type, content, is_sensitive, origin,
         is_marketing, api_key_id, membership_id, bulk_uuid, reply_to, due_at, expires_at, queued_at{credit_columns})
    SELECT uuid, %(channel)s, contact, 'out', %(status)s, %(priority)s, address, type, content, %(sensitive)s,
           %(origin)s, marketing, %(api_key)s, %(membership)s, %(bulk)s, %(reply_to)s, %(due)s, %(expires)s,
           %(queued)s{credit_values}
    FROM {source}
    RETURNING uuid),
{counted},
{looked_after}
SELECT uuid{needed} FROM given WHERE uuid NOT IN (SELECT uuid FROM inserted){short}
"""


def statement_parts(text: str, parts: Mapping[str, str]) -> str:
    """`text` with its named parts put in, in their order."""
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


_MAY_GO = """given
    WHERE NOT {suppressed} AND NOT (given.marketing AND {opted_out})
      AND (given.window_from IS NULL OR {window_open})"""
# When an account pays, the price of what may go is reserved first, and nothing is inserted without: one statement that
# needs no transaction around it. A row without id says how much is needed when there was too little.
_CHARGED = {
    "hold": f"""allowed AS MATERIALIZED (SELECT * FROM {_MAY_GO}),
{statement_parts(HOLD, {"rows": "allowed", "run": "NULL::bigint", "bulk": "%(bulk)s::uuid"})},
""",  # noqa: S608  our own text
    "source": "allowed AS given WHERE EXISTS (SELECT FROM reserved)",
    "price_row": ", price numeric",
    "credit_columns": ", credit_account_id, price, credit_state",
    "credit_values": ", %(account)s, given.price, 'held'",
    "needed": ", NULL::numeric",
    "short": f" UNION ALL SELECT NULL, (SELECT sum(price) FROM allowed) WHERE {SHORT.replace('{rows}', 'allowed')}",  # noqa: S608  our own text
}
_FREE = {**dict.fromkeys(_CHARGED, ""), "source": _MAY_GO}


@dataclass(frozen=True, slots=True)
class Charge:
    """Who pays: the account, and each message's price."""

    account_id: int
    prices: Mapping[UUID, Decimal]


@dataclass(frozen=True, slots=True)
class InsertRow:
    """One message to insert; `content` is JSON text.

    `window_from`: the recipient must have written after this moment; None: always allowed. `is_marketing`: not to
    people who opted out of marketing.
    """

    uuid: UUID
    address: str
    type: str
    content: bytes
    contact_id: int | None
    window_from: datetime | None
    is_marketing: bool = False


@lru_cache(maxsize=4096)
def _statement(schema: str, is_charged: bool) -> str:
    parts = {
        **(_CHARGED if is_charged else _FREE),
        "suppressed": SUPPRESSED,
        "opted_out": OPTED_OUT,
        "window_open": WINDOW_OPEN.replace("%(window_from)s", "given.window_from"),
        "counted": COUNTED,
        "looked_after": LOOKED_AFTER.replace("{due}", "%(due)s"),
    }
    return statement_fill(_INSERT, schema, parts)


def statement_fill(text: str, schema: str, parts: Mapping[str, str]) -> str:
    """`text` with its named parts put in, in their order, and `{schema}` in all of it quoted. None comes from users."""
    return statement_parts(text, {**parts, "schema": sql.Identifier(schema).as_string(None)})


def messages_insert(
    *,
    schema: str,
    channel_id: int,
    rows: Sequence[InsertRow],
    origin: str,
    priority: int,
    queued_at: datetime,
    due_at: datetime | None,
    expires_at: datetime | None,
    api_key_id: int | None,
    membership_id: int | None,
    bulk_uuid: UUID | None,
    is_sensitive: bool,
    reply_to: str,
    charge: Charge | None = None,
) -> set[UUID]:
    """Insert `rows` as queued (or scheduled for `due_at`) messages of the channel in one round trip.

    Returns the uuids that were held back: suppressed, opted out of marketing, or without a service window that is
    still open. With `charge` the price of all others is reserved by the same statement: raises `LimitReached`
    insufficient_credits when the account has too little, and nothing is inserted.
    """
    prices: Mapping[UUID, Decimal] = charge.prices if charge is not None else {}
    with statement_cursor() as cursor:
        cursor.execute(
            _statement(schema, charge is not None),
            {
                "schema": schema,
                "key": str(channel_id),
                "channel": channel_id,
                "status": "queued" if due_at is None else "scheduled",
                "priority": priority,
                "sensitive": is_sensitive,
                "origin": origin,
                "api_key": api_key_id,
                "membership": membership_id,
                "bulk": bulk_uuid,
                "reply_to": reply_to,
                "queued": queued_at,
                "due": due_at,
                "expires": expires_at,
                "account": charge.account_id if charge is not None else None,
                # One JSON text costs a fraction of five arrays; the content is JSON already and goes in as it is.
                "rows": orjson.dumps(
                    [
                        {
                            "uuid": row.uuid,
                            "contact": row.contact_id,
                            "address": row.address,
                            "type": row.type,
                            "content": orjson.Fragment(row.content),
                            "window_from": row.window_from,
                            "marketing": row.is_marketing,
                            **({"price": str(prices[row.uuid])} if charge is not None else {}),
                        }
                        for row in rows
                    ]
                ).decode(),
            },
            prepare=settings.DATABASE_PREPARE,
        )
        refused = cursor.fetchall()
    for uuid, *needed in refused:
        if uuid is None and charge is not None:
            raise insufficient(needed=needed[0], available=balance_of(charge.account_id))
    return {row[0] for row in refused}
