"""The pump's statements: set-based, with the schema named in full, as the engine's are (`messaging.dispatch.sql`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from webhooks_app.outbox import filled

_TAKE = """
WITH lane AS (
    SELECT id, leased_until FROM public.tenants_agendaitem
    WHERE schema = {schema_name} AND kind = 'webhook' AND key = %(key)s
      AND (leased_until IS NULL OR leased_until < now())
    FOR UPDATE SKIP LOCKED)
UPDATE public.tenants_agendaitem item
SET lease_owner = %(owner)s, leased_until = now() + %(lease)s, fence = item.fence + 1, due_at = now()
FROM lane, public.tenants_organization organization
WHERE item.id = lane.id AND organization.schema_name = item.schema AND organization.status = 'active'
RETURNING item.id, item.fence, item.state, lane.leased_until IS NOT NULL AS was_abandoned
"""

# Not after the release: a heartbeat may be late.
EXTEND = """
UPDATE public.tenants_agendaitem SET leased_until = now() + %(lease)s
WHERE id = %(lane)s AND fence = %(fence)s AND leased_until IS NOT NULL
RETURNING id
"""

_ENDPOINT = """
SELECT surface, name, url, secrets, previous_until, retry_limit, timeout, is_active, deleted_at IS NOT NULL
FROM {schema}.webhooks_app_endpoint WHERE id = %(endpoint)s
"""

# What a dead owner had under way is delivered again, with the same webhook-id: at least once.
_RECOVER = """
UPDATE {schema}.webhooks_app_delivery SET status = 'pending', fence = NULL, due_at = now()
WHERE endpoint_id = %(endpoint)s AND status IN ('pending', 'sending') AND status = 'sending' AND fence < %(fence)s
"""

# The next batch, oldest first. A delivery waits while an earlier one of its key is open: order per message.
_CLAIM = """
WITH allowed AS (
    SELECT 1 FROM public.tenants_agendaitem lane
    JOIN public.tenants_organization organization ON organization.schema_name = lane.schema
    JOIN {schema}.webhooks_app_endpoint endpoint ON endpoint.id = %(endpoint)s
    WHERE lane.id = %(lane)s AND lane.fence = %(fence)s AND lane.leased_until > now()
      AND organization.status = 'active' AND endpoint.is_active),
picked AS (
    SELECT id, event_id FROM {schema}.webhooks_app_delivery delivery
    WHERE endpoint_id = %(endpoint)s AND status IN ('pending', 'sending') AND status = 'pending' AND due_at <= now()
      AND EXISTS (SELECT 1 FROM allowed)
      AND (ordering_key = '' OR NOT EXISTS (
          SELECT 1 FROM {schema}.webhooks_app_delivery earlier
          WHERE earlier.endpoint_id = %(endpoint)s AND earlier.ordering_key = delivery.ordering_key
            AND earlier.ordering_key <> '' AND earlier.status IN ('pending', 'sending') AND earlier.id < delivery.id))
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE {schema}.webhooks_app_delivery delivery
SET status = 'sending', fence = %(fence)s, attempts = attempts + 1
FROM picked LEFT JOIN {schema}.webhooks_app_event event ON event.id = picked.event_id
WHERE delivery.id = picked.id
RETURNING delivery.id, delivery.uuid::text, delivery.event_type, delivery.attempts, event.data::text,
          event.created_at, event.is_test
"""

# Deliveries that are due but wait for an earlier one of their key come after it, so that claims need not step over
# them again and again.
_POSTPONE = """
WITH waiting AS (
    SELECT delivery.id, (
        SELECT max(earlier.due_at) FROM {schema}.webhooks_app_delivery earlier
        WHERE earlier.endpoint_id = %(endpoint)s AND earlier.ordering_key = delivery.ordering_key
          AND earlier.ordering_key <> '' AND earlier.status IN ('pending', 'sending') AND earlier.status = 'pending'
          AND earlier.id < delivery.id) AS until
    FROM {schema}.webhooks_app_delivery delivery
    WHERE endpoint_id = %(endpoint)s AND status IN ('pending', 'sending') AND status = 'pending' AND due_at <= now()
      AND ordering_key <> ''
    ORDER BY due_at, id LIMIT 5000)
UPDATE {schema}.webhooks_app_delivery delivery SET due_at = waiting.until
FROM waiting WHERE delivery.id = waiting.id AND waiting.until > now()
"""

# Put results in: delivery, attempt, numbers and the endpoint's health. Safe to repeat: the answer to a commit may be
# lost with the connection, and what the first run wrote is not under way any more for the second.
_SETTLE = """
WITH result AS (
    SELECT id, status, code, latency, error, head, delay, to_timestamp(at) AS at
    FROM json_to_recordset(%(results)s::json)
         AS r(id bigint, status text, code int, latency int, error text, head text, delay float8, at float8)),
settled AS (
    UPDATE {schema}.webhooks_app_delivery delivery
    SET status = result.status, fence = NULL, status_code = result.code, latency_ms = result.latency,
        error = result.error, due_at = now() + result.delay * interval '1 second',
        finished_at = CASE WHEN result.status <> 'pending' THEN now() END
    FROM result
    WHERE delivery.id = result.id AND delivery.status = 'sending' AND delivery.fence = %(fence)s
    RETURNING delivery.id, delivery.ordering_key, delivery.event_type, delivery.attempts, delivery.due_at,
              result.status, result.code, result.latency, result.error, result.head, result.at),
noted AS (
    INSERT INTO {schema}.webhooks_app_attempt
        (delivery_id, number, at, latency_ms, status_code, response_head, error)
    SELECT id, attempts, at, latency, code, head, error FROM settled ORDER BY id),
behind AS (
    UPDATE {schema}.webhooks_app_delivery later SET due_at = settled.due_at
    FROM settled
    WHERE settled.status = 'pending' AND settled.ordering_key <> '' AND later.endpoint_id = %(endpoint)s
      AND later.ordering_key = settled.ordering_key AND later.ordering_key <> ''
      AND later.status IN ('pending', 'sending') AND later.status = 'pending' AND later.id > settled.id
      AND later.due_at < settled.due_at),
counted AS (
    INSERT INTO {schema}.webhooks_app_endpointcount AS counter
        (endpoint_id, day, event_type, succeeded, failed, attempts, latency_ms)
    SELECT %(endpoint)s, (now() AT TIME ZONE 'UTC')::date, event_type, count(*) FILTER (WHERE status = 'succeeded'),
           count(*) FILTER (WHERE status = 'failed'), count(*), sum(latency)
    FROM settled GROUP BY event_type
    ON CONFLICT (endpoint_id, day, event_type) DO UPDATE
    SET succeeded = counter.succeeded + excluded.succeeded, failed = counter.failed + excluded.failed,
        attempts = counter.attempts + excluded.attempts, latency_ms = counter.latency_ms + excluded.latency_ms)
UPDATE {schema}.webhooks_app_endpoint endpoint
SET last_success_at = CASE WHEN good > 0 THEN now() ELSE last_success_at END,
    last_failure_at = CASE WHEN bad > 0 THEN now() ELSE last_failure_at END,
    failing_since = CASE WHEN good > 0 THEN NULL ELSE COALESCE(failing_since, now()) END
FROM (SELECT count(*) FILTER (WHERE status = 'succeeded') AS good, count(*) FILTER (WHERE status <> 'succeeded') AS bad
      FROM settled) AS seen
WHERE endpoint.id = %(endpoint)s AND good + bad > 0
"""

# Switched off for good reason: the receiver is gone, or nothing has arrived for days. Answers only when it was on.
_DISABLE = """
UPDATE {schema}.webhooks_app_endpoint SET is_active = false, disabled_reason = %(reason)s
WHERE id = %(endpoint)s AND is_active AND (%(gone)s OR failing_since < now() - %(patience)s)
RETURNING id, uuid::text, name, url
"""

_CANCEL = """
UPDATE {schema}.webhooks_app_delivery SET status = 'cancelled', finished_at = now(), due_at = NULL, fence = NULL
WHERE id IN (SELECT id FROM {schema}.webhooks_app_delivery
             WHERE endpoint_id = %(endpoint)s AND status IN ('pending', 'sending')
             ORDER BY due_at, id LIMIT 5000)
"""

END = """
DELETE FROM public.tenants_agendaitem WHERE id = %(lane)s AND fence = %(fence)s
"""

# Give the lane back; see RELEASE in `messaging.dispatch.sql`. While the endpoint is off nothing is due, and a deleted
# one is looked at once more, by whatever the row says now.
_RELEASE = """
WITH open AS (
    SELECT (SELECT min(due_at) FROM {schema}.webhooks_app_delivery
            WHERE endpoint_id = %(endpoint)s AND status IN ('pending', 'sending') AND status = 'pending') AS next,
           is_active, deleted_at
    FROM {schema}.webhooks_app_endpoint WHERE id = %(endpoint)s)
UPDATE public.tenants_agendaitem item
SET leased_until = NULL, lease_owner = '', state = %(state)s,
    due_at = CASE WHEN deleted_at IS NOT NULL THEN now()
                  WHEN is_active THEN LEAST(open.next, now() + %(look_again)s::interval) END
FROM open WHERE item.id = %(lane)s AND item.fence = %(fence)s
RETURNING open.next <= now()
"""


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of one schema, as bytes: psycopg prepares each on a connection after a few uses."""

    take: bytes
    endpoint: bytes
    recover: bytes
    claim: bytes
    postpone: bytes
    settle: bytes
    disable: bytes
    cancel: bytes
    release: bytes


@lru_cache(maxsize=4096)
def statements(schema: str) -> Statements:
    """The pump's statements for `schema`."""
    return Statements(
        take=filled(_TAKE, schema),
        endpoint=filled(_ENDPOINT, schema),
        recover=filled(_RECOVER, schema),
        claim=filled(_CLAIM, schema),
        postpone=filled(_POSTPONE, schema),
        settle=filled(_SETTLE, schema),
        disable=filled(_DISABLE, schema),
        cancel=filled(_CANCEL, schema),
        release=filled(_RELEASE, schema),
    )
