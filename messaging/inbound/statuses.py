"""Providers' reports on our messages, applied set-based: two statements to read and write, whatever the number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from billing.services.outcomes import messages_credit
from contacts.services.suppressions import marketing_stop
from messaging.drivers.base import StatusUpdate
from messaging.inbound.progress import Progress, is_new_failure, progress_after, transitions
from messaging.models.message import OPEN_STATUSES
from messaging.services.counters import counts_note
from tenants.connection import connection
from webhooks_app.services.events import message_events_publish

log = structlog.get_logger(__name__)

# Locked in the order of the id, as the engine does: two batches with the same messages wait, they do not deadlock.
_READ = """
SELECT id, uuid::text, attempts, address, status, queued_at, provider_id, sent_at, delivered_at, read_at, failed_at,
       error_code, error_reason, campaign_run_id, campaign_variant_id, credit_state
FROM messaging_message
WHERE id IN (
    SELECT id FROM messaging_message
    WHERE uuid = ANY(%(uuids)s::uuid[]) AND channel_id = %(channel)s AND direction = 'out'
    UNION
    SELECT id FROM messaging_message
    WHERE channel_id = %(channel)s AND provider_id = ANY(%(provider_ids)s::text[]) AND provider_id IS NOT NULL
      AND direction = 'out')
ORDER BY id FOR UPDATE
"""

# What a one-time password's body becomes once it is out; the engine's settle statement writes the same.
_WRITE = """
UPDATE messaging_message message
SET status = row.status, provider_id = row.provider_id, sent_at = row.sent_at, delivered_at = row.delivered_at,
    read_at = row.read_at, failed_at = row.failed_at, error_code = row.error_code, error_reason = row.error_reason,
    due_at = NULL,
    content = CASE WHEN message.is_sensitive THEN '{"type": "text", "text": {"body": "••••••"}}'::jsonb
                   ELSE message.content END
FROM unnest(%(ids)s::bigint[], %(statuses)s::text[], %(provider_ids)s::text[], %(sent)s::timestamptz[],
            %(delivered)s::timestamptz[], %(read)s::timestamptz[], %(failed)s::timestamptz[], %(codes)s::text[],
            %(reasons)s::text[])
     AS row(id, status, provider_id, sent_at, delivered_at, read_at, failed_at, error_code, error_reason)
WHERE message.id = row.id
"""

# Milestones that are events of the catalogue.
_TOLD = frozenset({"sent", "delivered", "read", "failed"})

_COUNT = """
INSERT INTO messaging_channelcount (channel_id, hour, metric, count)
SELECT %(channel)s, date_trunc('hour', now()), metric, count
FROM unnest(%(metrics)s::text[], %(counts)s::bigint[]) AS row(metric, count)
"""

_COUNT_RUNS = """
INSERT INTO messaging_runcount (run_id, variant_id, minute, metric, count)
SELECT run, variant, date_trunc('minute', now()), metric, count
FROM unnest(%(runs)s::bigint[], %(variants)s::bigint[], %(metrics)s::text[], %(counts)s::bigint[])
     AS row(run, variant, metric, count)
"""

_RESOLVED = """
INSERT INTO messaging_sendattempt (message_id, number, outcome, code, reason)
SELECT id, number, 'resolved', 'echo', reason
FROM unnest(%(ids)s::bigint[], %(numbers)s::int[], %(reasons)s::text[]) AS row(id, number, reason)
"""


@dataclass(slots=True)
class StatusOutcome:
    """What became of a batch.

    `unmatched` reports belong to no message of the channel; `broken` are the positions of reports that the database
    refused; `pause_reasons` come from failures after which the channel must stop.
    """

    changed: int = 0
    unmatched: int = 0
    broken: list[int] = field(default_factory=list)
    pause_reasons: list[str] = field(default_factory=list)


def statuses_apply(*, channel_id: int, updates: Sequence[StatusUpdate]) -> StatusOutcome:
    """Apply reports on messages of one channel of the current schema; counters and opt-outs in the same transaction.

    Matched by our uuid's echo, else by the provider's id. Safe to repeat, in any order and in parallel. A report that
    the database refuses does not hold up the others.
    """
    try:
        return _apply(channel_id, updates)
    except (DataError, IntegrityError) as error:
        log.warning("statuses_one_by_one", channel=channel_id, error=str(error))
    outcome = StatusOutcome()
    for position, update in enumerate(updates):
        try:
            single = _apply(channel_id, [update])
        except (DataError, IntegrityError):
            outcome.broken.append(position)
            continue
        outcome.changed += single.changed
        outcome.unmatched += single.unmatched
        outcome.pause_reasons += single.pause_reasons
    return outcome


@dataclass(slots=True)
class _Row:
    id: int
    attempts: int
    address: str
    before: Progress
    # (run, variant) of a campaign's message.
    run: tuple[int, int] | None = None
    # Its credits are reserved until its end is known.
    is_held: bool = False
    reports: list[StatusUpdate] = field(default_factory=list)


@dataclass(slots=True)
class _Changes:
    """What one batch writes."""

    rows: list[tuple[_Row, Progress]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    # (run, variant, metric) -> count
    run_counts: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    opt_outs: list[str] = field(default_factory=list)


def _apply(channel_id: int, updates: Sequence[StatusUpdate]) -> StatusOutcome:
    outcome = StatusOutcome()
    with transaction.atomic():
        rows, outcome.unmatched = _read(channel_id, updates)
        changes = _changes(rows, outcome)
        outcome.changed = len(changes.rows)
        if changes.rows:
            _write(channel_id, changes)
    if changes.rows:
        counts_note(schema=connection.schema_name)
    return outcome


def _read(channel_id: int, updates: Sequence[StatusUpdate]) -> tuple[list[_Row], int]:
    """The messages that the reports are about, locked, each with its reports; and how many reports found none."""
    with connection.cursor() as cursor:
        cursor.execute(
            _READ,
            {
                "channel": channel_id,
                "uuids": list({update.uuid for update in updates if update.uuid}),
                "provider_ids": list({update.provider_id for update in updates}),
            },
        )
        found = cursor.fetchall()
    by_uuid: dict[str, _Row] = {}
    by_provider_id: dict[str, _Row] = {}
    for id_, uuid, attempts, address, status, queued_at, provider_id, *rest, run, variant, credits in found:
        progress = Progress(status, queued_at, provider_id, *rest)
        row = _Row(id_, attempts, address, progress, None if run is None else (run, variant or 0), credits == "held")
        by_uuid[uuid] = row
        if provider_id is not None:
            by_provider_id[provider_id] = row
    unmatched = 0
    for update in updates:
        owner = by_uuid.get(update.uuid) or by_provider_id.get(update.provider_id)
        if owner is None:
            unmatched += 1
        else:
            owner.reports.append(update)
    return [row for row in by_uuid.values() if row.reports], unmatched


def _changes(rows: list[_Row], outcome: StatusOutcome) -> _Changes:
    changes = _Changes()
    for row in rows:
        after = progress_after(row.before, row.reports)
        if after == row.before:
            continue
        changes.rows.append((row, after))
        steps = transitions(row.before, after)
        changes.counts.update(steps)
        if row.run is not None:
            steps["done"] = (row.before.status in OPEN_STATUSES) - (after.status in OPEN_STATUSES)
            changes.run_counts.update({(*row.run, metric): count for metric, count in steps.items()})
        if is_new_failure(row.before, after):
            _note_failure(row, after, changes, outcome)
    return changes


def _note_failure(row: _Row, after: Progress, changes: _Changes, outcome: StatusOutcome) -> None:
    errors = (report.error for report in row.reports if report.error and report.error.code[:40] == after.error_code)
    error = next(errors, None)
    if error is None:
        return
    if error.counts_as:
        changes.counts[error.counts_as] += 1
    if error.opt_out:
        changes.opt_outs.append(row.address)
    if error.pauses:
        outcome.pause_reasons.append(error.reason)


def _write(channel_id: int, changes: _Changes) -> None:
    rows = changes.rows
    after = [progress for _, progress in rows]
    counts = {metric: count for metric, count in changes.counts.items() if count}
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "ids": [row.id for row, _ in rows],
                "statuses": [progress.status for progress in after],
                "provider_ids": [progress.provider_id for progress in after],
                "sent": [progress.sent_at for progress in after],
                "delivered": [progress.delivered_at for progress in after],
                "read": [progress.read_at for progress in after],
                "failed": [progress.failed_at for progress in after],
                "codes": [progress.error_code for progress in after],
                "reasons": [progress.error_reason for progress in after],
            },
        )
        if counts:
            cursor.execute(_COUNT, {"channel": channel_id, "metrics": list(counts), "counts": list(counts.values())})
        _count_runs(cursor, changes.run_counts)
        resolved = _resolved(rows)
        if resolved["ids"]:
            cursor.execute(_RESOLVED, resolved)
    message_events_publish(events=_events(rows))
    if changes.opt_outs:
        marketing_stop(addresses=changes.opt_outs, at=timezone.now(), note="Reported by the provider")
    _credit(channel_id, rows)


def _credit(channel_id: int, rows: list[tuple[_Row, Progress]]) -> None:
    """Spend or give back what was reserved for messages whose end the report tells."""
    ended = [(row.id, after.status) for row, after in rows if row.is_held and after.status not in OPEN_STATUSES]
    if ended:
        messages_credit(
            channel_id=channel_id,
            settled=[id_ for id_, status in ended if status != "failed"],
            released=[id_ for id_, status in ended if status == "failed"],
        )


def _count_runs(cursor: Any, counts: Counter[tuple[int, int, str]]) -> None:
    changed = [(*key, count) for key, count in counts.items() if count]
    if changed:
        names = ("runs", "variants", "metrics", "counts")
        cursor.execute(_COUNT_RUNS, dict(zip(names, map(list, zip(*changed, strict=True)), strict=True)))


def _events(rows: list[tuple[_Row, Progress]]) -> list[tuple[int, str]]:
    """What each message newly went through, in the order of its life."""
    return [
        (row.id, f"message.{milestone}")
        for row, after in rows
        for milestone, count in transitions(row.before, after).items()
        if count > 0 and milestone in _TOLD
    ]


def _resolved(rows: list[tuple[_Row, Progress]]) -> dict[str, Any]:
    """Messages whose outcome was in doubt until now."""
    doubtful = [(row, after) for row, after in rows if row.before.status == "in_doubt"]
    return {
        "ids": [row.id for row, _ in doubtful],
        "numbers": [row.attempts for row, _ in doubtful],
        "reasons": [f"The provider reports that it is {after.status}." for _, after in doubtful],
    }
