"""The outbox as SQL: events and their deliveries are written by the statement, or in the transaction, of the change.

The parts below are common table expressions for statements that name their schemas in full, put in by `filled`. While
no active endpoint wants such events they read the endpoints, a table of a few rows, and nothing else.
"""

from __future__ import annotations

from functools import lru_cache

import orjson
from psycopg import sql

from webhooks_app.payloads import MARKER, PAYLOAD_BYTES

MESSAGE_TYPES = (
    "message.received",
    "message.sent",
    "message.delivered",
    "message.read",
    "message.failed",
    "message.cancelled",
)

# From `told` (id, type, key, channel_id, is_test): one delivery for each endpoint that wants it, and their lanes are
# looked at within 5 s. A lane's row is written only when nobody is due to look at it soon (docs/engine.md, "No lost
# wake-up").
_FAN_OUT = """
fanned_out AS (
    INSERT INTO {schema}.webhooks_app_delivery (endpoint_id, event_id, event_type, ordering_key)
    SELECT listening.id, told.id, told.type, told.key
    FROM told JOIN listening ON told.type = ANY(listening.types) AND (told.is_test OR NOT listening.test_only)
         AND (listening.channel_ids = '{{}}' OR told.channel_id = ANY(listening.channel_ids))
    ORDER BY told.id
    RETURNING endpoint_id),
lanes AS (
    UPDATE public.tenants_agendaitem SET due_at = now() + interval '5 seconds'
    WHERE id IN (
        SELECT id FROM public.tenants_agendaitem
        WHERE schema = {schema_name} AND kind = 'webhook'
          AND key IN (SELECT endpoint_id::text FROM fanned_out)
          AND (due_at IS NULL OR due_at > now() + interval '5 seconds')
        ORDER BY id FOR UPDATE))
"""

# The endpoints whose lanes to wake after the commit, or NULL.
_WOKEN = "(SELECT array_agg(DISTINCT endpoint_id) FROM fanned_out)"

_CHANNEL = """jsonb_build_object(
            'id', channel.uuid, 'reference', channel.reference, 'number', channel.id, 'name', channel.name,
            'kind', channel.kind, 'address', channel.address, 'is_sandbox', channel.is_sandbox,
            'customer_id', customer.uuid)"""

# From `news` (id of a message, type, place in its order, provider_id, sent_at, delivered_at, read_at, failed_at,
# error_code, error_reason: as they are after the change). What never changes is read from the message, which this
# statement may see as it was before. A one-time password's text is never told.
_MESSAGE_EVENTS = """
listening AS MATERIALIZED (
    SELECT id, types, channel_ids, test_only FROM {schema}.webhooks_app_endpoint
    WHERE is_active AND types && {message_types} AND EXISTS (SELECT 1 FROM news)),
told AS (
    INSERT INTO {schema}.webhooks_app_event (type, key, channel_id, is_test, data)
    SELECT news.type, message.uuid::text, message.channel_id, channel.is_sandbox, jsonb_build_object(
        'message', jsonb_build_object(
            'id', message.uuid, 'number', message.id, 'provider_id', news.provider_id,
            'direction', message.direction, 'type', message.type, 'status', split_part(news.type, '.', 2),
            'address', message.address, 'origin', message.origin, 'reply_to', message.reply_to,
            'bulk_id', message.bulk_uuid, 'campaign_run_id', message.campaign_run_id,
            'error_code', news.error_code, 'error_reason', news.error_reason,
            'queued_at', message.queued_at, 'sent_at', news.sent_at, 'delivered_at', news.delivered_at,
            'read_at', news.read_at, 'failed_at', news.failed_at,
            'content', CASE WHEN message.is_sensitive THEN NULL
                            WHEN length(message.content::text) > {content_length} THEN {marker}
                            ELSE message.content END)
            || CASE WHEN news.type = 'message.received' THEN jsonb_build_object('files', COALESCE((
                SELECT jsonb_agg(jsonb_build_object(
                    'id', file.uuid, 'kind', file.kind, 'mime_type', file.mime_type, 'filename', file.filename)
                    ORDER BY file.id)
                FROM {schema}.messaging_mediafile file WHERE file.message_id = message.id), '[]'))
               ELSE '{{}}' END,
        'channel', {channel},
        'contact', CASE WHEN contact.id IS NOT NULL THEN jsonb_build_object(
            'id', contact.uuid, 'number', contact.id, 'name', contact.name, 'phone', contact.phone) END)
    FROM news
    JOIN {schema}.messaging_message message ON message.id = news.id
    JOIN {schema}.messaging_channel channel ON channel.id = message.channel_id
    LEFT JOIN {schema}.messaging_customer customer ON customer.id = channel.customer_id
    LEFT JOIN {schema}.contacts_contact contact ON contact.id = message.contact_id
    WHERE EXISTS (SELECT 1 FROM listening)
      AND EXISTS (SELECT 1 FROM listening WHERE news.type = ANY(types) AND (channel.is_sandbox OR NOT test_only)
                  AND (channel_ids = '{{}}' OR message.channel_id = ANY(channel_ids)))
    ORDER BY news.id, news.place
    RETURNING id, type, key, channel_id, is_test),
{fan_out}
"""

# From `news` (id of a channel, old_status, new_status, reason).
_CHANNEL_EVENTS = """
listening AS MATERIALIZED (
    SELECT id, types, channel_ids, test_only FROM {schema}.webhooks_app_endpoint
    WHERE is_active AND 'channel.status_changed' = ANY(types)),
told AS (
    INSERT INTO {schema}.webhooks_app_event (type, key, channel_id, is_test, data)
    SELECT 'channel.status_changed', channel.uuid::text, channel.id, channel.is_sandbox, jsonb_build_object(
        'channel', {channel} || jsonb_build_object(
            'old_status', news.old_status, 'new_status', news.new_status, 'reason', news.reason))
    FROM news
    JOIN {schema}.messaging_channel channel ON channel.id = news.id
    LEFT JOIN {schema}.messaging_customer customer ON customer.id = channel.customer_id
    WHERE EXISTS (SELECT 1 FROM listening WHERE (channel.is_sandbox OR NOT test_only)
                  AND (channel_ids = '{{}}' OR channel.id = ANY(channel_ids)))
    ORDER BY news.id
    RETURNING id, type, key, channel_id, is_test),
{fan_out}
"""

_CHANNELS = """
WITH news AS (
    SELECT %(channel)s::bigint AS id, %(old)s::text AS old_status, %(new)s::text AS new_status,
           %(reason)s::text AS reason),
{channel_events}
SELECT {woken}
"""

# News from lists of message ids and types, for changes that were made by a statement of their own before.
_MESSAGES = """
WITH news AS (
    SELECT message.id, row.type, row.place, provider_id, sent_at, delivered_at, read_at, failed_at,
           error_code, error_reason
    FROM unnest(%(ids)s::bigint[], %(types)s::text[]) WITH ORDINALITY AS row(id, type, place)
    JOIN {schema}.messaging_message message ON message.id = row.id
    WHERE EXISTS (SELECT 1 FROM {schema}.webhooks_app_endpoint WHERE is_active)),
{message_events}
SELECT {woken}
"""

# From `news` (place, type, key, channel_id, is_test, data): events of any type.
_ANY_EVENTS = """
listening AS MATERIALIZED (
    SELECT id, types, channel_ids, test_only FROM {schema}.webhooks_app_endpoint
    WHERE is_active AND EXISTS (SELECT 1 FROM news WHERE news.type = ANY(types))),
told AS (
    INSERT INTO {schema}.webhooks_app_event (type, key, channel_id, is_test, data)
    SELECT type, key, channel_id, is_test, data FROM news
    WHERE EXISTS (SELECT 1 FROM listening)
      AND EXISTS (SELECT 1 FROM listening WHERE news.type = ANY(types) AND (news.is_test OR NOT test_only)
                  AND (channel_ids = '{{}}' OR news.channel_id = ANY(channel_ids)))
    ORDER BY place
    RETURNING id, type, key, channel_id, is_test),
{fan_out}
"""

_EVENTS = """
WITH news AS (
    SELECT * FROM json_to_recordset(%(events)s::json)
        AS row(place int, type text, key text, channel_id bigint, is_test boolean, data jsonb)),
{any_events}
SELECT {woken}
"""


def filled(text: str, schema: str) -> bytes:
    """`text` with the schema's name and the parts above, such as `{message_events}` and `{woken}`."""
    parts: dict[str, sql.Composable] = {
        "schema": sql.Identifier(schema),
        "schema_name": sql.Literal(schema),
        "message_types": sql.Literal(list(MESSAGE_TYPES)) + sql.SQL("::varchar[]"),
        "content_length": sql.Literal(PAYLOAD_BYTES),
        "marker": sql.Literal(orjson.dumps(MARKER).decode()) + sql.SQL("::jsonb"),
        "woken": sql.SQL(_WOKEN),
    }
    parts["fan_out"] = sql.SQL(_FAN_OUT).format(**parts)
    parts["channel"] = sql.SQL(_CHANNEL)
    parts["channel_events"] = sql.SQL(_CHANNEL_EVENTS).format(**parts)
    parts["any_events"] = sql.SQL(_ANY_EVENTS).format(**parts)
    parts["message_events"] = sql.SQL(_MESSAGE_EVENTS).format(**parts)
    return sql.SQL(text).format(**parts).as_bytes(None)


@lru_cache(maxsize=4096)
def messages_statement(schema: str) -> bytes:
    """Publishes message events from `ids` and `types`; answers the endpoints to wake."""
    return filled(_MESSAGES, schema)


@lru_cache(maxsize=4096)
def channels_statement(schema: str) -> bytes:
    """Publishes that `channel` went from `old` to `new` for `reason`; answers the endpoints to wake."""
    return filled(_CHANNELS, schema)


@lru_cache(maxsize=4096)
def events_statement(schema: str) -> bytes:
    """Publishes `events` (a JSON array); answers the endpoints to wake."""
    return filled(_EVENTS, schema)
