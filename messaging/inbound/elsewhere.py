"""Our own messages as the provider reports them back: proof that one of ours went out, or written with another tool.

Which of the two it is, is decided by our uuid, then by the provider's id, then by a message of ours that is on its way
to the same person with the same words: an echo may be quicker than the answer to the send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from django.db import DataError, IntegrityError, connection, transaction

from contacts.services.identities import Person, contacts_resolve
from messaging.drivers.base import SentElsewhere, StatusUpdate
from messaging.inbound.received import channel_lock, json_text
from messaging.inbound.statuses import statuses_apply
from messaging.models.message import PRIORITY_CONVERSATION
from tenants.fields import uuid7

log = structlog.get_logger(__name__)

_KNOWN: Final = """
SELECT id, uuid::text, provider_id, NULL::text AS address, NULL::text AS content FROM messaging_message
WHERE channel_id = %(channel)s AND provider_id = ANY(%(provider_ids)s::text[]) AND provider_id IS NOT NULL
UNION ALL
SELECT id, uuid::text, provider_id, NULL, NULL FROM messaging_message
WHERE uuid = ANY(%(uuids)s::uuid[]) AND channel_id = %(channel)s AND direction = 'out'
UNION ALL
SELECT id, uuid::text, provider_id, address, content::text FROM messaging_message
WHERE channel_id = %(channel)s AND status IN ('processing', 'in_doubt') AND provider_id IS NULL
  AND address = ANY(%(addresses)s::text[])
ORDER BY id
"""

_INSERT: Final = """
INSERT INTO messaging_message
    (uuid, channel_id, contact_id, direction, status, priority, address, type, content, origin, reply_to, provider_id,
     sent_at)
SELECT uuid, %(channel)s, contact, 'out', 'sent', %(priority)s, address, type, content, 'app', reply_to, provider_id, at
FROM unnest(%(uuids)s::uuid[], %(contacts)s::bigint[], %(addresses)s::text[], %(types)s::text[], %(contents)s::jsonb[],
            %(reply_tos)s::text[], %(provider_ids)s::text[], %(at)s::timestamptz[])
     WITH ORDINALITY AS row(uuid, contact, address, type, content, reply_to, provider_id, at, place)
ORDER BY place
ON CONFLICT (channel_id, provider_id) WHERE provider_id IS NOT NULL DO NOTHING
"""


@dataclass(slots=True)
class _Known:
    """What is known about the messages of a batch: by the provider's id, by uuid, and those on their way."""

    provider_ids: set[str]
    uuids: set[str]
    open: list[tuple[str, str, Mapping[str, Any]]]


def elsewhere_store(*, channel_id: int, messages: Sequence[SentElsewhere]) -> list[int]:
    """Settle or store echoes of one channel of the current schema; returns the positions that the database refused.

    Repeating it changes nothing. What was written elsewhere becomes an outgoing message of origin `app`.
    """
    try:
        _store(channel_id, messages)
        return []
    except (DataError, IntegrityError) as error:
        log.warning("elsewhere_one_by_one", channel=channel_id, error=str(error))
    broken = []
    for position, message in enumerate(messages):
        try:
            _store(channel_id, [message])
        except (DataError, IntegrityError) as error:
            log.warning("elsewhere_refused", channel=channel_id, error=str(error))
            broken.append(position)
    return broken


def _store(channel_id: int, messages: Sequence[SentElsewhere]) -> None:
    known = _known(channel_id, messages)
    own: list[StatusUpdate] = []
    foreign: list[SentElsewhere] = []
    for message in messages:
        uuid = message.uuid if message.uuid in known.uuids else ""
        if not uuid and message.provider_id in known.provider_ids:
            continue
        uuid = uuid or _on_its_way(known, message)
        if uuid:
            own.append(StatusUpdate(message.provider_id, "sent", message.at, uuid=uuid))
        else:
            foreign.append(message)
    if own:
        statuses_apply(channel_id=channel_id, updates=own)
    if foreign:
        contact_ids = contacts_resolve([Person(message.identities) for message in foreign])
        with transaction.atomic():
            channel_lock(channel_id)
            _insert(channel_id, foreign, contact_ids)


def _known(channel_id: int, messages: Sequence[SentElsewhere]) -> _Known:
    known = _Known(set(), set(), [])
    with connection.cursor() as cursor:
        cursor.execute(
            _KNOWN,
            {
                "channel": channel_id,
                "provider_ids": [message.provider_id for message in messages],
                "uuids": [message.uuid for message in messages if message.uuid],
                "addresses": list({value for message in messages for _, value in message.identities}),
            },
        )
        rows = cursor.fetchall()
    for _, uuid, provider_id, address, content in rows:
        known.uuids.add(uuid)
        if provider_id is not None:
            known.provider_ids.add(provider_id)
        if address is not None:
            known.open.append((uuid, address, orjson.loads(content)))
    return known


def _on_its_way(known: _Known, message: SentElsewhere) -> str:
    """The uuid of the oldest message that is on its way to this person with the same words; it is used up."""
    addresses = {value for _, value in message.identities}
    for place, (uuid, address, content) in enumerate(known.open):
        if address in addresses and _words(content) == _words(message.content):
            del known.open[place]
            return uuid
    return ""


def _words(content: Mapping[str, Any]) -> str:
    """The text of a message, without the white space that providers trim; "" for files and cards."""
    part = content.get(str(content.get("type")))
    body = part.get("body") if isinstance(part, Mapping) else None
    text = body.get("text") if isinstance(body, Mapping) else body
    return " ".join(text.split()) if isinstance(text, str) else ""


def _insert(channel_id: int, messages: Sequence[SentElsewhere], contact_ids: Sequence[int]) -> None:
    contents = [
        {**message.content, "source": message.source} if message.source else message.content for message in messages
    ]
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
                "contents": [json_text(content) for content in contents],
                "reply_tos": [message.reply_to for message in messages],
                "provider_ids": [message.provider_id for message in messages],
                "at": [message.at for message in messages],
            },
        )
