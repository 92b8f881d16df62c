"""The engine's statements: set-based, with the schema named in full. No search_path, so any pooled connection fits.

`{schema}` is filled by `statements()` with a quoted identifier. One tuple of prepared texts is kept per schema. Where
messages change for good, their credits are spent or given back and their events are written by the same statement
(`webhooks_app.outbox`), whose answer names the webhook endpoints to wake.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from billing.credits_sql import CREDITED
from webhooks_app.outbox import filled

# Why a claimed message must not leave after all: its address was suppressed since it was queued. `all`, `marketing` or
# NULL; one look into a unique index. The answer to an opt-out is not held back by it.
HELD = """(
    SELECT min(suppression.scope) FROM {schema}.contacts_suppression suppression
    WHERE suppression.address = message.address AND message.origin <> 'auto'
      AND (suppression.scope = 'all' OR message.is_marketing AND suppression.scope = 'marketing'))"""

# Take lanes: nobody may hold them. `has_due` says that scheduled or doubtful messages have come due, `was_abandoned`
# that the previous owner's lease ended without a release: whatever it had claimed is in doubt. When a channel is
# remembered (`version` tells whether its row is still the one that was read), its first batch is claimed along
# (`wanted` over 0): one round trip instead of three, which is what a lane with a message now and then consists of. Who
# takes a lane writes counters, and so did whoever queued messages: they are added up soon
# (`messaging.services.counters`).
TAKE = """
WITH asked AS (
    SELECT * FROM unnest(%(channels)s::bigint[], %(owners)s::text[], %(wanted)s::int[])
        AS row(channel, owner, wanted)),
lane AS (
    SELECT item.id, item.leased_until, asked.channel, asked.owner, asked.wanted
    FROM asked CROSS JOIN LATERAL (
        SELECT id, leased_until FROM public.tenants_agendaitem
        WHERE schema = %(schema)s AND kind = 'channel' AND key = asked.channel::text
          AND (leased_until IS NULL OR leased_until < now())
        FOR UPDATE SKIP LOCKED) AS item),
noted AS (
    INSERT INTO public.tenants_agendaitem (schema, kind, key, due_at)
    SELECT %(schema)s, 'counts_squash', '', now() + interval '30 seconds' WHERE EXISTS (SELECT FROM lane)
    ON CONFLICT (schema, kind, key) DO NOTHING),
taken AS (
    UPDATE public.tenants_agendaitem item
    SET lease_owner = lane.owner, leased_until = now() + %(lease)s, fence = item.fence + 1, due_at = now()
    FROM lane, public.tenants_organization organization
    WHERE item.id = lane.id AND organization.schema_name = %(schema)s AND organization.status = 'active'
    RETURNING item.id, item.fence, item.state, lane.leased_until IS NOT NULL AS was_abandoned, lane.channel,
              lane.wanted),
picked AS (
    SELECT message.id, taken.fence FROM taken CROSS JOIN LATERAL (
        SELECT message.id FROM {schema}.messaging_message message
        WHERE message.channel_id = taken.channel AND message.status = 'queued'
          AND EXISTS (SELECT 1 FROM {schema}.messaging_channel channel
                      WHERE channel.id = taken.channel AND channel.status = 'connected')
        ORDER BY message.priority, message.id LIMIT taken.wanted FOR UPDATE OF message SKIP LOCKED) AS message),
claimed AS (
    UPDATE {schema}.messaging_message message
    SET status = 'processing', fence = picked.fence, claimed_at = now(), attempts = attempts + 1
    FROM picked WHERE message.id = picked.id
    RETURNING message.channel_id, message.id, message.uuid::text, message.address, message.content::text AS content,
              message.priority, message.attempts, message.reply_to,
              EXTRACT(EPOCH FROM message.expires_at)::float8 AS expires_at, {held} AS held)
SELECT taken.channel, taken.id, taken.fence, taken.state, taken.was_abandoned,
       EXISTS (SELECT 1 FROM {schema}.messaging_message
               WHERE channel_id = taken.channel AND status = 'scheduled' AND due_at <= now())
       OR EXISTS (SELECT 1 FROM {schema}.messaging_message
                  WHERE channel_id = taken.channel AND status IN ('processing', 'in_doubt')
                    AND (status = 'in_doubt' AND due_at <= now() OR claimed_at < now() - %(stale)s::interval))
       AS has_due,
       (SELECT channel.xmin::text FROM {schema}.messaging_channel channel WHERE channel.id = taken.channel) AS version,
       claimed.id, claimed.uuid, claimed.address, claimed.content, claimed.priority, claimed.attempts,
       claimed.reply_to, claimed.expires_at, claimed.held
FROM taken LEFT JOIN claimed ON claimed.channel_id = taken.channel
"""

# Not after the release: a heartbeat may be late.
EXTEND = """
UPDATE public.tenants_agendaitem SET leased_until = now() + %(lease)s
WHERE id = %(lane)s AND fence = %(fence)s AND leased_until IS NOT NULL
RETURNING id
"""

CHANNEL = """
SELECT name, kind, status, is_sandbox, external_id, account_id, address, config, secrets, rate_per_second, daily_cap,
       in_doubt_policy, first_live_send_at, channel.xmin::text AS version,
       COALESCE((SELECT sum(count) FROM {schema}.messaging_channelcount
                 WHERE channel_id = channel.id AND metric = 'sent'
                   AND hour >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'), 0)::bigint AS sent_today
FROM {schema}.messaging_channel channel WHERE id = %(channel)s
"""

# What an owner left behind when it died.
RECOVER = """
WITH abandoned AS (
    UPDATE {schema}.messaging_message SET status = 'in_doubt', due_at = now() + %(window)s,
           error_code = 'in_doubt', error_reason = %(reason)s
    WHERE channel_id = %(channel)s AND status = 'processing' AND fence < %(fence)s
      AND (%(abandoned)s OR claimed_at < now() - %(stale)s)
    RETURNING id, attempts, due_at)
INSERT INTO {schema}.messaging_sendattempt (message_id, number, outcome, code, reason, next_at)
SELECT id, attempts, 'in_doubt', 'in_doubt', %(reason)s, due_at FROM abandoned
"""

# What has come due. A doubt is not decided while webhooks that arrived before its end are still to be processed: one
# of them may be the echo (those that have failed for ten minutes do not count any more). And a doubt that ended long
# before anybody looked, because we were away, waits for its window again: nobody could tell us anything meanwhile.
DUE = """
WITH due AS (
    SELECT id, status, origin, attempts,
           CASE WHEN status = 'scheduled' THEN 'queued'
                WHEN due_at < now() - %(late)s::interval THEN 'in_doubt'
                WHEN origin = 'campaign' AND %(policy)s = 'fail' THEN 'failed'
                ELSE 'queued' END AS next
    FROM {schema}.messaging_message
    WHERE id IN (
        (SELECT id FROM {schema}.messaging_message
         WHERE channel_id = %(channel)s AND status = 'scheduled' AND due_at <= now()
         ORDER BY due_at LIMIT %(limit)s)
        UNION ALL
        (SELECT id FROM {schema}.messaging_message message
         WHERE channel_id = %(channel)s AND status IN ('processing', 'in_doubt') AND status = 'in_doubt'
           AND due_at <= now() AND NOT EXISTS (
               SELECT 1 FROM public.tenants_inboundevent event
               WHERE event.status IN ('received', 'failed') AND event.received_at <= message.due_at
                 AND event.received_at > now() - interval '10 minutes')
         LIMIT %(limit)s))
      AND status IN ('scheduled', 'in_doubt') AND due_at <= now()
    ORDER BY id FOR UPDATE SKIP LOCKED),
moved AS (
    UPDATE {schema}.messaging_message message
    SET status = due.next, due_at = CASE WHEN due.next = 'in_doubt' THEN now() + %(window)s::interval END,
        fence = CASE WHEN due.next = 'in_doubt' THEN message.fence END,
        claimed_at = CASE WHEN due.next = 'in_doubt' THEN message.claimed_at END,
        error_code = CASE WHEN due.next = 'queued' THEN '' ELSE 'in_doubt' END,
        error_reason = CASE due.next WHEN 'failed' THEN %(reason)s WHEN 'queued' THEN '' ELSE message.error_reason END,
        failed_at = CASE WHEN due.next = 'failed' THEN now() END,
        credit_state = CASE WHEN due.next = 'failed' AND message.credit_state = 'held' THEN 'released'
                            ELSE message.credit_state END
    FROM due WHERE message.id = due.id
    RETURNING message.id, due.status AS before, due.next, due.attempts, message.provider_id, message.sent_at,
              message.delivered_at, message.read_at, message.failed_at, message.error_code, message.error_reason,
              message.campaign_run_id AS run, COALESCE(message.campaign_variant_id, 0) AS variant,
              message.credit_account_id AS account, message.price, message.credit_state AS state,
              old.credit_state AS old_state),
charged AS (
    SELECT account, %(channel)s::bigint AS channel, price, state FROM moved
    WHERE old_state = 'held' AND state = 'released'),{credited},
run_counted AS (
    INSERT INTO {schema}.messaging_runcount (run_id, variant_id, minute, metric, count)
    SELECT run, variant, date_trunc('minute', now()), metric, count(*)
    FROM moved CROSS JOIN (VALUES ('failed'), ('done')) AS step(metric)
    WHERE run IS NOT NULL AND next = 'failed' GROUP BY run, variant, metric),
counted AS (
    INSERT INTO {schema}.messaging_channelcount (channel_id, hour, metric, count)
    SELECT %(channel)s, date_trunc('hour', now()), 'failed', count(*) FROM moved WHERE next = 'failed'
    HAVING count(*) > 0),
noted AS (
    INSERT INTO {schema}.messaging_sendattempt (message_id, number, outcome, code, reason)
    SELECT id, attempts, CASE WHEN next = 'failed' THEN 'failed' ELSE 'resolved' END, 'in_doubt', %(reason)s
    FROM moved WHERE before = 'in_doubt' AND next <> 'in_doubt'),
news AS (
    SELECT id, 'message.failed' AS type, 1 AS place, provider_id, sent_at, delivered_at, read_at, failed_at,
           error_code, error_reason
    FROM moved WHERE next = 'failed'),
{message_events}
SELECT {woken}
"""

# Claim the next batch. Nothing is claimed unless we still own the lane, the channel is connected and the organisation
# active: pausing and suspending take effect with the next statement.
CLAIM = """
WITH allowed AS (
    SELECT 1 FROM public.tenants_agendaitem lane
    JOIN public.tenants_organization organization ON organization.schema_name = lane.schema
    JOIN {schema}.messaging_channel channel ON channel.id = %(channel)s
    WHERE lane.id = %(lane)s AND lane.fence = %(fence)s AND lane.leased_until > now()
      AND organization.status = 'active' AND channel.status = 'connected'),
picked AS (
    SELECT id FROM {schema}.messaging_message
    WHERE channel_id = %(channel)s AND status = 'queued' AND EXISTS (SELECT 1 FROM allowed)
    ORDER BY priority, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE {schema}.messaging_message message
SET status = 'processing', fence = %(fence)s, claimed_at = now(), attempts = attempts + 1
FROM picked WHERE message.id = picked.id
RETURNING message.id, message.uuid::text, message.address, message.content::text, message.priority, message.attempts,
          message.reply_to, EXTRACT(EPOCH FROM message.expires_at)::float8, {held}
"""

# The connection broke while the answer to a claim was on its way: what was claimed never left this process. Called when
# nothing of this lease is under way, so whatever is still `processing` under our fence is such a claim.
RECALL = """
UPDATE {schema}.messaging_message SET status = 'queued', fence = NULL, claimed_at = NULL, attempts = attempts - 1
WHERE channel_id = %(channel)s AND status = 'processing' AND fence = %(fence)s
"""

# The same for a lease whose taking was not answered: give it back, with what may have been claimed along. The owner's
# name is that of this one attempt, so no other lease is meant.
RECALL_TAKEN = """
WITH lane AS (
    UPDATE public.tenants_agendaitem SET leased_until = NULL, lease_owner = '', due_at = now()
    WHERE schema = %(schema)s AND kind = 'channel' AND key = %(key)s AND lease_owner = %(owner)s
    RETURNING fence)
UPDATE {schema}.messaging_message message
SET status = 'queued', fence = NULL, claimed_at = NULL, attempts = attempts - 1
FROM lane WHERE message.channel_id = %(channel)s AND message.status = 'processing' AND message.fence = lane.fence
"""

# Put results in, of any channels: each brings the fence under which it was claimed. A webhook may have been quicker:
# whatever it wrote is never turned back. Safe to repeat, because the answer to a commit may be lost with the
# connection: what the first run wrote is not open any more for the second.
SETTLE = """
WITH result AS (
    SELECT id, fence, status, provider_id, code, reason, delay, to_timestamp(left_at) AS sent_at, risks
    FROM json_to_recordset(%(results)s::json)
         AS r(id bigint, fence bigint, status text, provider_id text, code text, reason text, delay float8,
              left_at float8, risks json)),
before AS (
    SELECT message.id, message.status, message.sent_at, message.attempts
    FROM {schema}.messaging_message message JOIN result USING (id)
    WHERE message.fence = result.fence ORDER BY message.id FOR UPDATE OF message),
settled AS (
    UPDATE {schema}.messaging_message message
    SET status = CASE WHEN open THEN result.status ELSE message.status END,
        provider_id = COALESCE(message.provider_id, result.provider_id),
        sent_at = CASE WHEN result.status = 'sent' THEN COALESCE(message.sent_at, result.sent_at)
                       ELSE message.sent_at END,
        failed_at = CASE WHEN open AND result.status = 'failed' THEN now() ELSE message.failed_at END,
        due_at = CASE WHEN open THEN now() + result.delay * interval '1 second' ELSE message.due_at END,
        error_code = CASE WHEN open THEN result.code ELSE message.error_code END,
        error_reason = CASE WHEN open THEN result.reason ELSE message.error_reason END,
        attempts = CASE WHEN open AND result.status = 'queued' THEN message.attempts - 1 ELSE message.attempts END,
        credit_state = CASE WHEN message.credit_state IS DISTINCT FROM 'held' THEN message.credit_state
                            WHEN result.status = 'sent' THEN 'settled'
                            WHEN open AND result.status = 'failed' THEN 'released' ELSE 'held' END,
        content = CASE WHEN message.is_sensitive AND result.status IN ('sent', 'failed')
                       THEN '{{"type": "text", "text": {{"body": "••••••"}}}}'::jsonb ELSE message.content END
    FROM result
    JOIN (SELECT before.*, before.status = 'processing'
                           OR before.status = 'in_doubt' AND outcome.status <> 'in_doubt' AS open
          FROM before JOIN result AS outcome USING (id)) AS before USING (id)
    WHERE message.id = result.id
    RETURNING message.id, message.channel_id AS channel, message.status, message.attempts, message.due_at,
              message.error_code, message.error_reason,
              message.provider_id, message.sent_at, message.delivered_at, message.read_at, message.failed_at,
              before.status AS old_status, before.sent_at IS NULL AND message.sent_at IS NOT NULL AS first_sent,
              before.open, result.risks, message.campaign_run_id AS run,
              COALESCE(message.campaign_variant_id, 0) AS variant, message.credit_account_id AS account,
              message.price, message.credit_state AS state, old.credit_state AS old_state),
charged AS (SELECT account, channel, price, state FROM settled WHERE old_state = 'held' AND state <> 'held'),{credited},
run_counted AS (
    INSERT INTO {schema}.messaging_runcount (run_id, variant_id, minute, metric, count)
    SELECT run, variant, date_trunc('minute', now()), metric, count(*)
    FROM settled CROSS JOIN LATERAL (
        SELECT 'sent' AS metric WHERE first_sent
        UNION ALL SELECT 'failed' WHERE open AND status = 'failed'
        UNION ALL SELECT 'done' WHERE open AND status IN ('sent', 'failed')) AS step
    WHERE run IS NOT NULL GROUP BY run, variant, metric),
counted AS (
    INSERT INTO {schema}.messaging_channelcount (channel_id, hour, metric, count)
    SELECT channel, date_trunc('hour', now()), metric, count(*)
    FROM (SELECT channel, 'sent' AS metric FROM settled WHERE first_sent
          UNION ALL SELECT channel, 'failed' FROM settled WHERE open AND status = 'failed'
          UNION ALL SELECT channel, json_array_elements_text(risks) FROM settled WHERE open) AS events
    GROUP BY channel, metric),
noted AS (
    INSERT INTO {schema}.messaging_sendattempt (message_id, number, outcome, code, reason, next_at)
    SELECT id, attempts, CASE status WHEN 'failed' THEN 'failed' WHEN 'in_doubt' THEN 'in_doubt' ELSE 'retry' END,
           error_code, error_reason, due_at
    FROM settled WHERE open AND error_code <> ''),
news AS (
    SELECT id, CASE WHEN first_sent THEN 'message.sent' ELSE 'message.failed' END AS type, 1 AS place, provider_id,
           sent_at, delivered_at, read_at, failed_at, error_code, error_reason
    FROM settled WHERE first_sent OR open AND status = 'failed'),
{message_events}
SELECT {woken}
"""

# A file kept here, and its copy at the channel's provider while that lives for another hour.
FILE = """
SELECT file.id, file.path, file.mime_type, file.filename, organization.uuid, copy.media_id
FROM {schema}.messaging_mediafile file
JOIN public.tenants_organization organization ON organization.schema_name = %(schema)s
LEFT JOIN {schema}.messaging_providercopy copy
  ON copy.file_id = file.id AND copy.channel_id = %(channel)s AND copy.expires_at > now() + interval '1 hour'
WHERE file.uuid = %(uuid)s AND file.state = 'stored'
"""

FILE_COPY = """
INSERT INTO {schema}.messaging_providercopy (file_id, channel_id, media_id, expires_at)
VALUES (%(file)s, %(channel)s, %(media_id)s, now() + %(days)s * interval '1 day')
ON CONFLICT (file_id, channel_id) DO UPDATE SET media_id = excluded.media_id, expires_at = excluded.expires_at
"""

# Our own message that came back before its answer and was taken for one written elsewhere.
FORGET_ECHO = """
DELETE FROM {schema}.messaging_message
WHERE channel_id = %(channel)s AND origin = 'app' AND provider_id = ANY(%(provider_ids)s::text[])
"""

PAUSE = """
WITH news AS (
    UPDATE {schema}.messaging_channel
    SET status = 'paused', status_reason = %(reason)s, status_since = now(), status_by = ''
    WHERE id = %(channel)s AND status = 'connected'
    RETURNING id, 'connected' AS old_status, 'paused' AS new_status, %(reason)s AS reason),
{channel_events}
SELECT {woken}
"""

FIRST_SEND = """
UPDATE {schema}.messaging_channel SET first_live_send_at = now()
WHERE id = %(channel)s AND first_live_send_at IS NULL AND NOT is_sandbox
"""

SUPPRESS = """
INSERT INTO {schema}.contacts_suppression (address, reason, scope, note, created_at)
SELECT unnest(%(addresses)s::text[]), 'opt_out', 'marketing', %(note)s, now()
ON CONFLICT (address, scope) DO NOTHING
"""

# What those who watch get to see. Every count stops at `most` and reads one partial index. The oldest is looked for in
# each priority, because only within one are messages in the order of their age.
HEALTH = """
INSERT INTO public.tenants_channelhealth AS health
    (organization_id, channel_id, name, status, reason, since, queued, scheduled, in_doubt, oldest_at, outcome, rate,
     sent_total, measured_at)
SELECT organization.id, channel.id, channel.name, channel.status, channel.status_reason, channel.status_since,
       (SELECT count(*) FROM (SELECT 1 FROM {schema}.messaging_message
        WHERE channel_id = channel.id AND status = 'queued' LIMIT %(most)s) AS counted),
       (SELECT count(*) FROM (SELECT 1 FROM {schema}.messaging_message
        WHERE channel_id = channel.id AND status = 'scheduled' LIMIT %(most)s) AS counted),
       (SELECT count(*) FROM (SELECT 1 FROM {schema}.messaging_message
        WHERE channel_id = channel.id AND status = 'in_doubt' LIMIT %(most)s) AS counted),
       (SELECT min(first.queued_at) FROM unnest(ARRAY[0, 5, 10, 30]) AS class(priority)
        CROSS JOIN LATERAL (SELECT queued_at FROM {schema}.messaging_message
            WHERE channel_id = channel.id AND status = 'queued' AND priority = class.priority
            ORDER BY id LIMIT 1) AS first),
       %(outcome)s, %(rate)s, %(sent)s, now()
FROM {schema}.messaging_channel channel JOIN public.tenants_organization organization
     ON organization.schema_name = %(schema)s
WHERE channel.id = %(channel)s
ON CONFLICT (organization_id, channel_id) DO UPDATE
SET name = EXCLUDED.name, status = EXCLUDED.status, reason = EXCLUDED.reason, since = EXCLUDED.since,
    queued = EXCLUDED.queued, scheduled = EXCLUDED.scheduled, in_doubt = EXCLUDED.in_doubt,
    oldest_at = EXCLUDED.oldest_at, outcome = EXCLUDED.outcome, rate = EXCLUDED.rate,
    sent_total = health.sent_total + EXCLUDED.sent_total, measured_at = EXCLUDED.measured_at
RETURNING queued
"""

# Give lanes back. One statement decides whether anything is left and sets the next time: a message committed before it
# is seen here, one committed later finds the lane free. `due_at`: the next scheduled message or doubt, and while the
# lane cools down a look in 5 s, then one more in 60 s, before it is idle (see docs/engine.md, "No lost wake-up").
RELEASE = """
WITH given AS (
    SELECT * FROM json_to_recordset(%(lanes)s::json)
        AS row(lane bigint, fence bigint, channel bigint, state jsonb, look_again float8, blocked_until timestamptz)),
held AS (
    SELECT item.id, given.* FROM given JOIN public.tenants_agendaitem item ON item.id = given.lane
    WHERE item.fence = given.fence ORDER BY item.id FOR UPDATE OF item),
open AS (
    SELECT held.*,
           EXISTS (SELECT 1 FROM {schema}.messaging_message
                   WHERE channel_id = held.channel AND status = 'queued') AS queued,
           (SELECT min(due_at) FROM {schema}.messaging_message
            WHERE channel_id = held.channel AND status = 'scheduled') AS scheduled,
           (SELECT min(due_at) FROM {schema}.messaging_message
            WHERE channel_id = held.channel AND status = 'in_doubt') AS doubtful
    FROM held)
UPDATE public.tenants_agendaitem item
SET leased_until = NULL, lease_owner = '', state = open.state,
    due_at = LEAST(open.scheduled,
                   CASE WHEN open.doubtful IS NOT NULL THEN GREATEST(open.doubtful, now() + interval '2 seconds') END,
                   now() + open.look_again * interval '1 second', open.blocked_until)
FROM open WHERE item.id = open.id
RETURNING open.lane, open.queued
"""


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of one schema, as bytes: psycopg prepares each on a connection after a few uses."""

    take: bytes
    channel: bytes
    recover: bytes
    due: bytes
    claim: bytes
    recall: bytes
    recall_taken: bytes
    settle: bytes
    forget_echo: bytes
    file: bytes
    file_copy: bytes
    pause: bytes
    first_send: bytes
    suppress: bytes
    release: bytes
    health: bytes


@lru_cache(maxsize=4096)
def statements(schema: str) -> Statements:
    """The engine's statements for `schema`; the name is quoted as an identifier."""

    def fill(text: str) -> bytes:
        return filled(text, schema)

    return Statements(
        take=fill(TAKE.replace("{held}", HELD)),
        channel=fill(CHANNEL),
        recover=fill(RECOVER),
        due=fill(DUE.replace("{credited}", CREDITED)),
        claim=fill(CLAIM.replace("{held}", HELD)),
        recall=fill(RECALL),
        recall_taken=fill(RECALL_TAKEN),
        settle=fill(SETTLE.replace("{credited}", CREDITED)),
        forget_echo=fill(FORGET_ECHO),
        file=fill(FILE),
        file_copy=fill(FILE_COPY),
        pause=fill(PAUSE),
        first_send=fill(FIRST_SEND),
        suppress=fill(SUPPRESS),
        release=fill(RELEASE),
        health=fill(HEALTH),
    )
