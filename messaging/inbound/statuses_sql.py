"""The two statements of a batch of reports: set-based, prepared, with the schema named in full.

Rows travel as JSON: the driver would quote every text of nine arrays by itself, which costs more than the update.
"""

from __future__ import annotations

from functools import lru_cache

from webhooks_app.outbox import filled

# Locked in the order of the id, as the engine does: two batches with the same messages wait, they do not deadlock.
_READ = """
SELECT id, uuid::text, attempts, address, status, queued_at, provider_id, sent_at, delivered_at, read_at, failed_at,
       error_code, error_reason, campaign_run_id, campaign_variant_id, credit_state
FROM {schema}.messaging_message
WHERE id IN (
    SELECT id FROM {schema}.messaging_message
    WHERE uuid = ANY(ARRAY(SELECT json_array_elements_text(%(uuids)s::json)::uuid))
      AND channel_id = %(channel)s AND direction = 'out'
    UNION
    SELECT id FROM {schema}.messaging_message
    WHERE channel_id = %(channel)s AND direction = 'out' AND provider_id IS NOT NULL
      AND provider_id = ANY(ARRAY(SELECT json_array_elements_text(%(provider_ids)s::json))))
ORDER BY id FOR UPDATE
"""

# The messages, the counters of their channel and runs, the attempts of those in doubt, and the events. What a one-time
# password's body becomes once it is out: the engine's settle statement writes the same.
_WRITE = """
WITH row AS (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS row(
        id bigint, status text, provider_id text, sent_at timestamptz, delivered_at timestamptz, read_at timestamptz,
        failed_at timestamptz, error_code text, error_reason text)),
changed AS (
    UPDATE {schema}.messaging_message message
    SET status = row.status, provider_id = row.provider_id, sent_at = row.sent_at, delivered_at = row.delivered_at,
        read_at = row.read_at, failed_at = row.failed_at, error_code = row.error_code,
        error_reason = row.error_reason, due_at = NULL,
        content = CASE WHEN message.is_sensitive
                       THEN '{{"type": "text", "text": {{"body": "••••••"}}}}'::jsonb ELSE message.content END
    FROM row WHERE message.id = row.id),
counted AS (
    INSERT INTO {schema}.messaging_channelcount (channel_id, hour, metric, count)
    SELECT %(channel)s, date_trunc('hour', now()), key, value::bigint FROM json_each_text(%(counts)s::json)),
counted_runs AS (
    INSERT INTO {schema}.messaging_runcount (run_id, variant_id, minute, metric, count)
    SELECT run, variant, date_trunc('minute', now()), metric, count
    FROM json_to_recordset(%(run_counts)s::json) AS row(run bigint, variant bigint, metric text, count bigint)),
resolved AS (
    INSERT INTO {schema}.messaging_sendattempt (message_id, number, outcome, code, reason)
    SELECT id, number, 'resolved', 'echo', reason
    FROM json_to_recordset(%(resolved)s::json) AS row(id bigint, number int, reason text)),
news AS (
    SELECT row.id, event.type, event.place, row.provider_id, row.sent_at, row.delivered_at, row.read_at,
           row.failed_at, row.error_code, row.error_reason
    FROM json_to_recordset(%(events)s::json) AS event(id bigint, type text, place int)
    JOIN row ON row.id = event.id),
{message_events}
SELECT {woken}
"""


@lru_cache(maxsize=4096)
def read_statement(schema: str) -> bytes:
    """Messages of `channel` by `uuids` or `provider_ids` (JSON lists of texts), locked."""
    return filled(_READ, schema)


@lru_cache(maxsize=4096)
def write_statement(schema: str) -> bytes:
    """Writes what a batch changed: JSON lists of objects, `counts` an object. Answers the endpoints to wake."""
    return filled(_WRITE, schema)
