"""Providers' reports on our messages, applied set-based: two statements to read and write, whatever the number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from billing.services.outcomes import messages_credit
from config.postgresql.statements import statement_cursor
from contacts.services.suppressions import marketing_stop
from messaging.drivers.base import StatusUpdate
from messaging.inbound.progress import Progress, is_new_failure, progress_after, transitions
from messaging.inbound.statuses_sql import read_statement, write_statement
from messaging.models.message import OPEN_STATUSES
from messaging.services.counters import counts_note
from tenants.connection import connection
from webhooks_app.services.events import events_told

log = structlog.get_logger(__name__)

# Milestones that are events of the catalogue.
_TOLD = frozenset({"sent", "delivered", "read", "failed"})


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
    params = {
        "channel": channel_id,
        "uuids": _json(list({update.uuid for update in updates if update.uuid})),
        # No text of the database holds a NUL, so no message has such an id.
        "provider_ids": _json(list({update.provider_id for update in updates if "\x00" not in update.provider_id})),
    }
    with statement_cursor() as cursor:
        cursor.execute(read_statement(connection.schema_name), params, prepare=settings.DATABASE_PREPARE)
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
    params = {
        "channel": channel_id,
        "rows": _json([_columns(row.id, after) for row, after in rows]),
        "counts": _json({metric: count for metric, count in changes.counts.items() if count}),
        "run_counts": _json(
            [
                {"run": run, "variant": variant, "metric": metric, "count": count}
                for (run, variant, metric), count in changes.run_counts.items()
                if count
            ]
        ),
        "resolved": _json(_resolved(rows)),
        "events": _json(_events(rows)),
    }
    with statement_cursor() as cursor:
        cursor.execute(write_statement(connection.schema_name), params, prepare=settings.DATABASE_PREPARE)
        told = cursor.fetchone()
    events_told(endpoint_ids=told[0] if told else None)
    if changes.opt_outs:
        marketing_stop(addresses=changes.opt_outs, at=timezone.now(), note="Reported by the provider")
    _credit(channel_id, rows)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _columns(id_: int, after: Progress) -> dict[str, Any]:
    return {
        "id": id_,
        "status": after.status,
        "provider_id": after.provider_id,
        "sent_at": after.sent_at,
        "delivered_at": after.delivered_at,
        "read_at": after.read_at,
        "failed_at": after.failed_at,
        "error_code": after.error_code,
        "error_reason": after.error_reason,
    }


def _credit(channel_id: int, rows: list[tuple[_Row, Progress]]) -> None:
    """Spend or give back what was reserved for messages whose end the report tells."""
    ended = [(row.id, after.status) for row, after in rows if row.is_held and after.status not in OPEN_STATUSES]
    if ended:
        messages_credit(
            channel_id=channel_id,
            settled=[id_ for id_, status in ended if status != "failed"],
            released=[id_ for id_, status in ended if status == "failed"],
        )


def _events(rows: list[tuple[_Row, Progress]]) -> list[dict[str, Any]]:
    """What each message newly went through, in the order of its life."""
    return [
        {"id": row.id, "type": f"message.{milestone}", "place": place}
        for row, after in rows
        for place, (milestone, count) in enumerate(transitions(row.before, after).items())
        if count > 0 and milestone in _TOLD
    ]


def _resolved(rows: list[tuple[_Row, Progress]]) -> list[dict[str, Any]]:
    """Messages whose outcome was in doubt until now."""
    return [
        {"id": row.id, "number": row.attempts, "reason": f"The provider reports that it is {after.status}."}
        for row, after in rows
        if row.before.status == "in_doubt"
    ]
