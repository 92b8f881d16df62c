"""Moving all messages of a run at once, in batches: out of the queue, back into it, cancelled, tried again, quiet.

A message that a worker has just claimed is left to it. Every batch is one statement that also counts.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from billing.credits_sql import CREDITED, HELD_AGAIN, UNPAID
from campaigns.models import Campaign, Run
from campaigns.services.zones import due_sql
from messaging.content import CONTENT_REMOVED
from messaging.dispatch.wake import lane_wake
from messaging.services.insert import LOOKED_AFTER, statement_fill
from tenants.connection import connection
from tenants.errors import LimitReached
from webhooks_app.services.events import message_events_publish

BATCH: Final = 5_000


class Move(enum.StrEnum):
    """What is done with messages of a run. A parked message is scheduled, without a time."""

    PARK = "park"
    RELEASE = "release"
    CANCEL = "cancel"
    RETRY = "retry"
    QUIET = "quiet"


_MOVE: Final = """
WITH target AS (
    SELECT message.id, message.address, message.sent_at, COALESCE(contact.timezone, '') AS timezone
    FROM {schema}.messaging_message message
    LEFT JOIN {schema}.contacts_contact contact ON contact.id = message.contact_id
    WHERE message.channel_id = %(channel)s AND message.campaign_run_id = %(run)s AND {which}
    ORDER BY message.priority, message.id LIMIT %(limit)s FOR UPDATE OF message SKIP LOCKED),
timed AS (SELECT target.*, {due_at} AS next_at FROM target),
moved AS (
    UPDATE {schema}.messaging_message message SET {changes}
    FROM timed WHERE message.id = timed.id
    RETURNING message.id, message.status, message.due_at, COALESCE(message.campaign_variant_id, 0) AS variant,
              timed.sent_at IS NOT NULL AS was_sent, message.credit_account_id AS account, message.price,
              message.credit_state AS state, old.credit_state AS old_state),{credits}
run_counted AS (
    INSERT INTO {schema}.messaging_runcount (run_id, variant_id, minute, metric, count)
    SELECT %(run)s, variant, date_trunc('minute', now()), metric, sum(delta)
    FROM moved JOIN (VALUES {deltas}) AS step(metric, delta, sent_only) ON NOT sent_only OR was_sent
    GROUP BY variant, metric HAVING sum(delta) <> 0),
channel_counted AS (
    INSERT INTO {schema}.messaging_channelcount (channel_id, hour, metric, count)
    SELECT %(channel)s, date_trunc('hour', now()), 'cancelled', count(*) FROM moved WHERE status = 'cancelled'
    HAVING count(*) > 0){looked_after}
SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM moved WHERE status = 'queued'),
       (SELECT array_agg(id ORDER BY id) FROM moved WHERE status = 'cancelled'), {unpaid}
"""
_CREDITED: Final = f"""
charged AS (
    SELECT account, %(channel)s::bigint AS channel, price, state FROM moved
    WHERE old_state = 'held' AND state = 'released'),{CREDITED},"""  # noqa: S608  our own text
# move -> what it does with the credits of the messages, and how many accounts have not enough for it.
_CREDITS: Final[dict[Move, tuple[str, str]]] = {
    Move.CANCEL: (_CREDITED, "0"),
    Move.RETRY: (f"{HELD_AGAIN},", UNPAID),
}

_WAITING: Final = ("message.status = 'queued'", "message.status = 'scheduled' AND message.due_at IS NOT NULL")
_PARKED: Final = "message.status = 'scheduled' AND message.due_at IS NULL"
_AGAIN: Final = """status = CASE WHEN timed.next_at IS NULL THEN 'queued' ELSE 'scheduled' END,
               due_at = timed.next_at"""
_FRESH: Final = """, provider_id = NULL, attempts = 0, fence = NULL, claimed_at = NULL, expires_at = NULL,
               queued_at = now(), sent_at = NULL, failed_at = NULL, error_code = '', error_reason = '',
               credit_state = CASE WHEN message.credit_account_id IS NOT NULL THEN 'held' END"""
_NOTHING: Final = "('', 0, true)"
# move -> (conditions, tried in turn so that each has its index; changes; counters as (metric, delta, only if sent))
_MOVES: Final[dict[Move, tuple[tuple[str, ...], str, str]]] = {
    Move.PARK: (_WAITING, "status = 'scheduled', due_at = NULL", _NOTHING),
    Move.RELEASE: ((_PARKED,), _AGAIN, _NOTHING),
    Move.CANCEL: (
        (*_WAITING, _PARKED),
        """status = 'cancelled', due_at = NULL,
               credit_state = CASE message.credit_state WHEN 'held' THEN 'released' ELSE message.credit_state END""",
        "('cancelled', 1, false), ('done', 1, false)",
    ),
    Move.RETRY: (
        ("message.status = 'failed' AND message.failed_at < %(before)s AND NOT message.content ? %(removed)s",),
        _AGAIN + _FRESH,
        "('failed', -1, false), ('done', -1, false), ('sent', -1, true)",
    ),
    # Only those whose time is quiet now: the others keep theirs.
    Move.QUIET: (
        (
            "message.status = 'queued' AND {due_of_message} IS NOT NULL",
            "message.status = 'scheduled' AND message.due_at < {due_of_message}",
        ),
        "status = 'scheduled', due_at = timed.next_at",
        _NOTHING,
    ),
}


def batch_move(*, campaign: Campaign, run: Run, move: Move, limit: int = BATCH) -> int:
    """Move up to `limit` messages of the run; returns how many. 0: none is left, or a worker has the last ones.

    Raises `LimitReached` insufficient_credits when failed messages cannot be paid for again; nothing is moved then.
    """
    conditions, changes, deltas = _MOVES[move]
    for condition in conditions:
        moved = _run(campaign, run, move, limit, condition, changes, deltas)
        if moved:
            return moved
    return 0


def _run(campaign: Campaign, run: Run, move: Move, limit: int, condition: str, changes: str, deltas: str) -> int:
    now = datetime.now(UTC)
    due = due_sql(campaign, run, now=now, address="target.address", timezone="target.timezone")
    of_message = due.sql.replace("target.address", "message.address").replace(
        "target.timezone", "COALESCE(contact.timezone, '')"
    )
    schema = connection.schema_name
    credited, unpaid = _CREDITS.get(move, ("", "0"))
    wakes = move in (Move.RELEASE, Move.RETRY, Move.QUIET)
    text = statement_fill(
        _MOVE,
        schema,
        {
            "which": condition,
            "due_of_message": of_message,
            "due_at": due.sql,
            "changes": changes,
            "deltas": deltas,
            "credits": credited,
            "unpaid": unpaid,
            "looked_after": f",\n{LOOKED_AFTER}" if wakes else "",
            "due": "(SELECT CASE WHEN bool_and(due_at IS NOT NULL) THEN min(due_at) END FROM moved)",
        },
    )
    params: dict[str, Any] = {
        **due.params,
        "schema": schema,
        "key": str(campaign.channel_id),
        "channel": campaign.channel_id,
        "run": run.pk,
        "limit": limit,
        "before": run.retry_before,
        "removed": CONTENT_REMOVED,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(text, params)
        row = cursor.fetchone()
        moved, queued, cancelled, too_few = row if row is not None else (0, 0, None, 0)
        if too_few:
            raise LimitReached("insufficient_credits", _("Not enough credits to try the failed messages again."))
        message_events_publish(events=[(pk, "message.cancelled") for pk in cancelled or []])
        if queued and wakes:
            transaction.on_commit(partial(lane_wake, schema, campaign.channel_id))
    return int(moved)
