"""An organisation with millions of rows, made inside PostgreSQL: INSERT ... SELECT generate_series.

Columns without an expression get their model's default, so that a new column does not break the benchmark.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, models
from psycopg import sql

CHANNELS: Final = 20
DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class Filled:
    """What was made, in one organisation's schema."""

    schema: str
    messages: int
    contacts: int
    channel_ids: list[int]


def organization_fill(organization: Any, *, messages: int, make_channel: Callable[..., Any]) -> Filled:
    """Fill the organisation: `messages`, a tenth as many contacts and codes, and what hangs on them."""
    from django_tenants.utils import tenant_context

    channels = [make_channel(organization).pk for _ in range(CHANNELS)]
    contacts = messages // 10
    with tenant_context(organization), connection.cursor() as cursor:
        # Foreign keys of generated rows need no check; 10,000,000 look-ups would take longer than all the rest.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        first = _contacts_fill(contacts)
        _messages_fill(messages, contacts=contacts, first_contact=first, channels=channels)
        _others_fill(messages, contacts=contacts, channels=channels)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM (ANALYZE)")
    return Filled(organization.schema_name, messages, contacts, channels)


def rows_generate(model: type[models.Model], count: int, expressions: Mapping[str, str]) -> None:
    """Insert `count` rows of `model` into the current schema; expressions are SQL over `i`, 1 to `count`."""
    columns, values = [], []
    for field in model._meta.local_concrete_fields:
        if field.name in expressions:
            value: sql.Composable = sql.SQL(expressions[field.name])
        elif field.primary_key or field.has_db_default():
            continue
        else:
            value = _default(field)
        columns.append(sql.Identifier(str(field.column)))
        values.append(value)
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM generate_series(1, {}) AS i").format(
        sql.Identifier(model._meta.db_table),
        sql.SQL(", ").join(columns),
        sql.SQL(", ").join(values),
        sql.Literal(count),
    )
    indexes = _indexes_drop(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(connection.connection))
        for definition in indexes:
            cursor.execute(definition)


def _default(field: Any) -> sql.Composable:
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return sql.SQL("now()")
    value = field.get_default()
    if isinstance(value, uuid.UUID):
        return sql.SQL("uuidv7()")
    if value is None and not field.null:
        return sql.Literal("")
    if isinstance(field, models.JSONField):
        return sql.SQL("{}::jsonb").format(sql.Literal("{}" if value == {} else "[]"))
    return sql.Literal(field.get_db_prep_save(value, connection))


def _indexes_drop(table: str) -> list[str]:
    """Drop the table's plain indexes; returns what makes them again. Building them at once is far quicker."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
               WHERE indrelid = %s::regclass
                 AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)""",
            [table],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f"DROP INDEX {name}")
    return [definition for _, definition in found]


def _contacts_fill(count: int) -> int:
    from contacts.models import Contact, Identity

    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM contacts_contact")
        before = int(cursor.fetchone()[0])
    rows_generate(
        Contact,
        count,
        {
            "uuid": "uuidv7()",
            "name": "(ARRAY['Ada','Bola','Chidi','Dara','Efe','Femi','Gbenga','Hawa'])[1 + i % 8] || ' ' || i",
            "phone": "(22961000000 + i)::text",
            "last_seen_at": f"now() - i % {DAYS} * interval '1 day'",
        },
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM contacts_contact WHERE id > %s", [before])
        first = int(cursor.fetchone()[0])
    rows_generate(
        Identity, count, {"contact": f"{first - 1} + i", "kind": "'phone'", "value": "(22961000000 + i)::text"}
    )
    return first


def _messages_fill(count: int, *, contacts: int, first_contact: int, channels: list[int]) -> None:
    from messaging.models import Message

    ids = "ARRAY[" + ",".join(str(pk) for pk in channels) + "]"
    # The neighbour of a message is another customer's: 7919 is a prime.
    customer = f"(i::bigint * 7919 %% {contacts})".replace("%%", "%")
    age = f"({count} - i) * interval '{DAYS * 86400 / count} seconds'"
    # The newest hundredth waits: a campaign in one channel's queue, some scheduled, some in doubt.
    status = f"""CASE WHEN i > {count - count // 100} THEN CASE WHEN i % 50 = 0 THEN 'scheduled'
                      WHEN i % 500 = 1 THEN 'in_doubt' WHEN i % 500 = 2 THEN 'processing' ELSE 'queued' END
                 WHEN i % 10 = 9 THEN 'received' WHEN i % 20 = 0 THEN 'failed' WHEN i <= 50 THEN 'cancelled'
                 WHEN i % 3 = 0 THEN 'delivered' WHEN i % 3 = 1 THEN 'read' ELSE 'sent' END"""
    waits = f"i > {count - count // 100}"
    rows_generate(
        Message,
        count,
        {
            "uuid": f"uuidv7(-({age}))",
            "channel": f"CASE WHEN i % 10 < 6 OR {waits} THEN {channels[0]} ELSE ({ids})[1 + i % {CHANNELS}] END",
            "contact": f"{first_contact} + {customer}",
            "direction": f"CASE WHEN i % 10 = 9 AND NOT {waits} THEN 'in' ELSE 'out' END",
            "status": status,
            "priority": "CASE WHEN i % 5 = 0 THEN 30 ELSE 10 END",
            "address": f"(22961000001 + {customer})::text",
            "type": "'text'",
            "content": "jsonb_build_object('type', 'text', 'text', jsonb_build_object('body', 'Your parcel ' || i || "
            "' is on its way and will arrive tomorrow.'))",
            "origin": "CASE WHEN i % 5 = 0 THEN 'campaign' ELSE 'api' END",
            "campaign_run_id": "CASE WHEN i % 5 = 0 THEN i / 50000 END",
            "bulk_uuid": "CASE WHEN i % 50 = 1 THEN md5((i / 5000)::text)::uuid END",
            "provider_id": f"CASE WHEN NOT {waits} THEN 'wamid.' || md5(i::text) END",
            "due_at": f"CASE WHEN {waits} AND (i % 50 = 0 OR i % 500 = 1) THEN now() + i % 600 * interval '1 s' END",
            "claimed_at": f"CASE WHEN {waits} AND i % 500 IN (1, 2) THEN now() END",
            "fence": f"CASE WHEN {waits} AND i % 500 IN (1, 2) THEN 1 END",
            "queued_at": f"now() - {age}",
            "sent_at": f"CASE WHEN NOT {waits} THEN now() - {age} END",
            "error_code": f"CASE WHEN i % 20 = 0 AND i % 10 <> 9 AND NOT {waits} THEN '131026' ELSE '' END",
            "error_reason": f"CASE WHEN i % 20 = 0 AND NOT {waits} THEN 'The number has no account.' ELSE '' END",
        },
    )


def _others_fill(messages: int, *, contacts: int, channels: list[int]) -> None:
    from django.contrib.admin.models import LogEntry

    from contacts.models import ServiceWindow, Suppression
    from messaging.models import ChannelCount, IdempotencyRecord, SendAttempt
    from otp.models import OneTimePassword

    ids = "ARRAY[" + ",".join(str(pk) for pk in channels) + "]"

    def over(count: int, days: int = DAYS) -> str:
        return f"now() - ({count} - i) * (interval '{days} days' / {count})"

    attempts = messages // 20
    rows_generate(
        SendAttempt,
        attempts,
        {"message": "i::bigint * 20", "at": over(attempts), "number": "1", "outcome": "'failed'", "code": "'131026'",
         "reason": "'The number has no account.'"},
    )  # fmt: skip
    hours = DAYS * 24 * len(channels) * 4 // (10_000_000 // messages)
    rows_generate(
        ChannelCount,
        hours,
        {"channel": f"({ids})[1 + i % {len(channels)}]", "squashed": "true", "count": "i % 1000",
         "hour": f"date_trunc('hour', {over(hours)})",
         "metric": f"(ARRAY['accepted','sent','delivered','failed'])[1 + i / {len(channels)} % 4]"},
    )  # fmt: skip
    rows_generate(
        OneTimePassword,
        contacts,
        {"phone": "(22961000000 + i)::text", "prefix": "(2296100 + i / 10000)::text", "code_hash": "'x'",
         "channel_id": str(channels[0]), "max_attempts": "5", "created_at": over(contacts, 60),
         "expires_at": over(contacts, 60)},
    )  # fmt: skip
    rows_generate(
        IdempotencyRecord,
        contacts // 2,
        {"api_key_id": "1", "key": "'k' || i", "request_hash": "'x'", "response_status": "202",
         "response_body": "'{}'::jsonb", "created_at": over(contacts // 2, 3)},
    )  # fmt: skip
    rows_generate(
        Suppression,
        contacts // 10,
        {"address": "(22969000000 + i)::text", "reason": "'opt_out'", "scope": "'marketing'"},
    )
    rows_generate(
        ServiceWindow,
        contacts // 2,
        {"channel": str(channels[0]), "address": "(22961000000 + i)::text", "last_inbound_at": over(contacts // 2)},
    )
    rows_generate(
        LogEntry,
        contacts // 10,
        {"user": "1", "object_id": "i::text", "object_repr": "'Message ' || i", "action_flag": "2",
         "change_message": "'Sent again.'", "action_time": over(contacts // 10), "content_type": "NULL"},
    )  # fmt: skip
