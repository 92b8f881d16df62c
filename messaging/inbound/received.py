"""Messages from customers: stored once, with their contact, their service window and the counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import structlog
from django.db import DataError, IntegrityError, transaction

from contacts.services.identities import Person, contacts_resolve, contacts_seen
from contacts.services.windows import windows_open
from messaging.drivers.base import ReceivedMessage
from messaging.inbound.changes import ACTS, changes_apply
from messaging.inbound.opt_outs import opt_outs_apply
from messaging.inbound.profiles import profiles_note
from messaging.media.receiving import media_forget, media_note
from messaging.models.message import PRIORITY_CONVERSATION
from messaging.services.counters import counts_note
from tenants.connection import connection
from tenants.fields import uuid7
from webhooks_app.services.events import message_events_publish

log = structlog.get_logger(__name__)

_INSERT = """
INSERT INTO messaging_message
    (uuid, channel_id, contact_id, direction, status, priority, address, type, content, origin, reply_to, provider_id,
     sent_at)
SELECT uuid, %(channel)s, contact, 'in', 'received', %(priority)s, address, type, content, 'customer', reply_to,
       provider_id, at
FROM unnest(%(uuids)s::uuid[], %(contacts)s::bigint[], %(addresses)s::text[], %(types)s::text[], %(contents)s::jsonb[],
            %(reply_tos)s::text[], %(provider_ids)s::text[], %(at)s::timestamptz[])
     WITH ORDINALITY AS row(uuid, contact, address, type, content, reply_to, provider_id, at, place)
ORDER BY place
ON CONFLICT (channel_id, provider_id) WHERE provider_id IS NOT NULL DO NOTHING
RETURNING provider_id, id
"""

_COUNT = """
INSERT INTO messaging_channelcount (channel_id, hour, metric, count)
VALUES (%s, date_trunc('hour', now()), 'received', %s)
"""
# First key of the advisory lock: batches of one channel are stored one after the other, in the order of arrival.
_LOCK: Final = 0x6D73_6769


def received_store(*, channel_id: int, messages: Sequence[ReceivedMessage]) -> list[int]:
    """Store messages for one channel of the current schema; returns the positions of those that the database refused.

    A message that is known (channel and provider's id) changes nothing. Message, window, counter and contact are one
    transaction: after a crash either all of it is there or none.
    """
    try:
        _store(channel_id, messages)
        return []
    except (DataError, IntegrityError) as error:
        log.warning("received_one_by_one", channel=channel_id, error=str(error))
    broken = []
    for position, message in enumerate(messages):
        try:
            _store(channel_id, [message])
        except (DataError, IntegrityError) as error:
            log.warning("received_refused", channel=channel_id, error=str(error))
            broken.append(position)
    return broken


def _store(channel_id: int, messages: Sequence[ReceivedMessage]) -> None:
    # Contacts first, each new one in its own short transaction: their locks are never held together.
    contact_ids = contacts_resolve([Person(message.identities, message.name) for message in messages])
    with transaction.atomic():
        stored = _insert(channel_id, messages, contact_ids)
        fresh = [
            (message, contact)
            for message, contact in zip(messages, contact_ids, strict=True)
            if message.provider_id in stored
        ]
        if not fresh:
            return
        windows_open(
            channel_id=channel_id,
            openings=[
                (value, message.at) for message, _ in fresh if message.opens_window for _, value in message.identities
            ],
        )
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [channel_id, len(stored)])
        media_note(
            channel_id=channel_id,
            media=[(stored[message.provider_id], file) for message, _ in fresh for file in message.media],
        )
        _change(channel_id, [message for message, _ in fresh])
        opt_outs_apply(channel_id=channel_id, received=fresh)
        profiles_note(
            channel_id=channel_id,
            written=[(message.identities[0][0], contact) for message, contact in fresh if not message.name],
        )
        contacts_seen(sightings=[(contact, message.at, message.name) for message, contact in fresh])
        message_events_publish(events=[(message_id, "message.received") for message_id in sorted(stored.values())])
    counts_note(schema=connection.schema_name)


def _change(channel_id: int, fresh: Sequence[ReceivedMessage]) -> None:
    """Edits and retractions among the new messages, and earlier ones of which the message has come only now."""
    targets = {message.reply_to if message.type in ACTS else message.provider_id for message in fresh}
    revoked = changes_apply(channel_id=channel_id, targets=targets)
    media_forget(schema=connection.schema_name, message_ids=revoked)


def _insert(channel_id: int, messages: Sequence[ReceivedMessage], contact_ids: Sequence[int]) -> dict[str, int]:
    """Insert in the order of the batch; returns provider's id -> id of those that were not known."""
    channel_lock(channel_id)
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                "channel": channel_id,
                "priority": PRIORITY_CONVERSATION,
                "uuids": [uuid7() for _ in messages],
                "contacts": list(contact_ids),
                "addresses": [message.identities[0][1] for message in messages],
                "types": [message.type for message in messages],
                "contents": [json_text(message.content) for message in messages],
                "reply_tos": [message.reply_to for message in messages],
                "provider_ids": [message.provider_id for message in messages],
                "at": [message.at for message in messages],
            },
        )
        return dict(cursor.fetchall())


def channel_lock(channel_id: int) -> None:
    """Store messages of one channel one batch after the other, until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(current_schema() || %s))", [_LOCK, f":{channel_id}"])


def json_text(content: Mapping[str, Any]) -> str:
    """JSON text that jsonb can hold: it knows no NUL character, which customers' texts may have."""
    text = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS).decode()
    return orjson.dumps(_without_nul(content)).decode() if "\\u0000" in text else text


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, Mapping):
        return {_without_nul(key): _without_nul(entry) for key, entry in value.items()}
    return [_without_nul(entry) for entry in value] if isinstance(value, list) else value
