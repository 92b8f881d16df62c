"""What becomes of reserved credits when single messages end outside of the engine's own statements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from django.db import connection
from django.utils.translation import gettext as _
from psycopg import sql

from billing.credits_sql import CREDITED, HELD_AGAIN, UNPAID
from tenants.connection import connection as tenant_connection
from tenants.errors import LimitReached

_END: Final = f"""
WITH moved AS (
    UPDATE {{schema}}.messaging_message message SET credit_state = row.state
    FROM (SELECT id, state FROM unnest(%(ids)s::bigint[], %(states)s::text[]) AS row(id, state)) AS row
    WHERE message.id = row.id AND message.credit_state = 'held'
    RETURNING message.credit_account_id AS account, message.price, message.credit_state AS state),
charged AS (SELECT account, %(channel)s::bigint AS channel, price, state FROM moved),{CREDITED}
SELECT count(*) FROM moved
"""  # noqa: S608  our own text

_AGAIN: Final = f"""
WITH moved AS (
    UPDATE {{schema}}.messaging_message message SET credit_state = 'held'
    WHERE message.id = %(id)s AND message.credit_account_id IS NOT NULL AND message.credit_state <> 'held'
    RETURNING message.credit_account_id AS account, message.price, message.channel_id),
{HELD_AGAIN.replace("%(channel)s", "(SELECT channel_id FROM moved)").strip()}
SELECT {UNPAID}
"""  # noqa: S608  our own text


@lru_cache(maxsize=4096)
def _filled(text: str, schema: str) -> str:
    return text.replace("{schema}", sql.Identifier(schema).as_string(None))


def messages_credit(*, channel_id: int, settled: Sequence[int] = (), released: Sequence[int] = ()) -> int:
    """Spend or give back what is reserved for these messages of a channel; returns for how many there was something.

    Messages whose credits are not reserved any more are passed over, so it is safe to repeat. Call it last in the
    transaction of the messages' change: it locks accounts.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _filled(_END, tenant_connection.schema_name),
            {
                "ids": [*settled, *released],
                "states": ["settled"] * len(settled) + ["released"] * len(released),
                "channel": channel_id,
            },
        )
        return int(cursor.fetchone()[0])


def message_hold_again(*, message_id: int) -> None:
    """Reserve the price of a failed message once more. Raises `LimitReached` insufficient_credits."""
    with connection.cursor() as cursor:
        cursor.execute(_filled(_AGAIN, tenant_connection.schema_name), {"id": message_id})
        if cursor.fetchone()[0]:
            raise LimitReached("insufficient_credits", _("Not enough credits to send this message again."))
