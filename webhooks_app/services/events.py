"""Publishing events. Call these in the transaction of the change that they tell about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import transaction

from config.postgresql.statements import statement_cursor
from tenants.connection import connection
from webhooks_app.catalogue import EVENT_TYPES
from webhooks_app.outbox import channels_statement, events_statement, messages_statement
from webhooks_app.payloads import payload_bounded, without_nul
from webhooks_app.wake import endpoints_wake

# Events per statement.
_BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened: a type of the catalogue with its neutral payload.

    Events of one `key` reach each endpoint in order; empty when order does not matter. `channel_id` when the event
    belongs to a channel, for endpoints that want only some of them.
    """

    type: str
    data: Mapping[str, Any]
    key: str = ""
    channel_id: int | None = None
    is_test: bool = False


def event_publish(
    *,
    type: str,
    data: Mapping[str, Any],
    key: str = "",
    channel_id: int | None = None,
    is_test: bool = False,
    schema: str | None = None,
) -> None:
    """Tell the endpoints of `schema` (the current one) that want events of `type`; see `NewEvent` and the catalogue.

    One round trip, and nothing is written while no endpoint wants it. Raises `ValueError` for an unknown type.
    """
    events_publish(events=[NewEvent(type, data, key, channel_id, is_test)], schema=schema)


def events_publish(*, events: Sequence[NewEvent], schema: str | None = None) -> None:
    """Publish many events of `schema` (the current one), in order, set-based; `ValueError` for an unknown type."""
    schema = schema or connection.schema_name
    unknown = {event.type for event in events} - set(EVENT_TYPES)
    if unknown:
        raise ValueError(f"not in the catalogue: {sorted(unknown)}")
    for start in range(0, len(events), _BATCH):
        batch = events[start : start + _BATCH]
        rows = [
            {
                "place": place,
                "type": event.type,
                "key": event.key[:64],
                "channel_id": event.channel_id,
                "is_test": event.is_test,
                "data": payload_bounded(event.data),
            }
            for place, event in enumerate(batch)
        ]
        _publish(events_statement(schema), {"events": _json(rows)}, schema=schema)


def message_events_publish(*, events: Sequence[tuple[int, str]]) -> None:
    """Publish (message id, type of the catalogue) pairs of the current schema; the payload is read from the messages.

    Call it after the statement that changed them, in the same transaction.
    """
    for start in range(0, len(events), _BATCH):
        batch = events[start : start + _BATCH]
        _publish(
            messages_statement(connection.schema_name),
            {"ids": [message_id for message_id, _ in batch], "types": [kind for _, kind in batch]},
        )


def channel_event_publish(*, channel_id: int, old_status: str, new_status: str, reason: str = "") -> None:
    """Publish `channel.status_changed`; the rest of the payload is read from the channel."""
    _publish(
        channels_statement(connection.schema_name),
        {"channel": channel_id, "old": old_status, "new": new_status, "reason": reason},
    )


def _publish(statement: bytes, params: dict[str, Any], *, schema: str | None = None) -> None:
    with statement_cursor() as cursor:
        cursor.execute(statement, params, prepare=settings.DATABASE_PREPARE)
        row = cursor.fetchone()
    events_told(endpoint_ids=row[0] if row else None, schema=schema)


def events_told(*, endpoint_ids: Sequence[int] | None, schema: str | None = None) -> None:
    """Wake after the commit the endpoints that a statement of `webhooks_app.outbox.filled` answered as `{woken}`."""
    if endpoint_ids:
        transaction.on_commit(partial(endpoints_wake, schema or connection.schema_name, endpoint_ids))


def _json(rows: list[dict[str, Any]]) -> str:
    text = orjson.dumps(rows, default=str).decode()
    return orjson.dumps(without_nul(orjson.loads(text))).decode() if "\\u0000" in text else text
