"""Queueing a run's recipients, piece by piece: each piece and the place where the next one begins are one transaction.

So a crash at any point loses nothing and repeats nothing; the unique key (run, address) is the second guard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import orjson
import structlog
from django.db import DataError, IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from campaigns.models import Run, SkippedRecipient
from campaigns.personalisation import contact_values, content_personalise
from campaigns.services.launch_sql import LaunchPlan, Statement, launch_sql, one_by_one_sql
from messaging.dispatch.wake import lane_wake
from messaging.drivers.base import ContentError
from messaging.models import RunCount
from tenants.connection import connection
from tenants.errors import LimitReached
from tenants.services.plans import PlanOwner, quota_return, quota_take

log = structlog.get_logger(__name__)

# The first piece is small, so that the first message leaves at once; the others are what one statement does in about a
# second.
FIRST_PIECE: Final = 1_000
PIECE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Piece:
    """What one piece did. `looked_at` is 0 when the audience is at its end."""

    looked_at: int
    inserted: int
    last_key: int


def piece_queue(*, organization: PlanOwner, plan: LaunchPlan, limit: int) -> Piece | None:
    """Queue the next `limit` recipients of the run; None when somebody paused, ended or overtook the run meanwhile.

    Raises `LimitReached` when the organisation's plan has no room for a single message more, or who pays no credits.
    """
    try:
        return _piece(organization, plan, limit)
    except (DataError, IntegrityError) as error:
        if limit > 1:
            log.warning("campaign_piece_split", run=plan.run.pk, limit=limit, error=str(error))
            return piece_queue(organization=organization, plan=plan, limit=max(1, limit // 10))
        return _skip_next(plan, str(error))
    except LimitReached:
        if limit == 1:
            raise
        return piece_queue(organization=organization, plan=plan, limit=max(1, limit // 10))


def _piece(organization: PlanOwner, plan: LaunchPlan, limit: int) -> Piece | None:
    quota_take(organization=organization, count=limit)
    inserted = 0
    try:
        with transaction.atomic():
            run = _locked(plan.run)
            if run is None:
                return None
            piece = _insert(replace(plan, run=run), limit)
            if piece.looked_at:
                Run.objects.filter(pk=run.pk).update(cursor=piece.last_key, position=F("position") + piece.looked_at)
        inserted = piece.inserted
        return piece
    finally:
        quota_return(organization=organization, count=limit - inserted)


def _locked(run: Run) -> Run | None:
    """The run as it is now, locked, while it is still being queued in the same phase."""
    return Run.objects.select_for_update().filter(pk=run.pk, status=Run.Status.PREPARING, phase=run.phase).first()


def _insert(plan: LaunchPlan, limit: int) -> Piece:
    now = datetime.now(UTC)
    schema, channel_id = connection.schema_name, plan.channel.id
    statement = launch_sql(plan, schema=schema, now=now)
    window = {"after": plan.run.cursor, "until": plan.run.last_key, "limit": limit}
    inserted, at_once, is_short, looked_at, last_key, odd = _execute(statement, window)
    if odd:
        rows = [_row(plan, entry) for entry in odd]
        more, more_at_once, more_short = _execute(
            one_by_one_sql(plan, schema=schema, now=now), {"rows": orjson.dumps(rows).decode()}
        )
        inserted, at_once, is_short = inserted + more, at_once + more_at_once, is_short or more_short
    if is_short:
        # Undone with the transaction; what is paid for so far goes out, and after a top-up the run goes on here.
        raise LimitReached("insufficient_credits", _("Not enough credits for the next recipients."))
    if at_once:
        transaction.on_commit(partial(lane_wake, schema, channel_id))
    return Piece(looked_at, inserted, last_key or 0)


def _execute(statement: Statement, more: Mapping[str, Any]) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, {**statement.params, **more})
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _row(plan: LaunchPlan, entry: Mapping[str, Any]) -> dict[str, Any]:
    """One recipient whose values need a closer look: rendered, and judged by the driver itself."""
    version = next(item for item in plan.versions if item.variant_id == entry["variant"])
    values = contact_values(
        name=entry["name"], email=entry["email"], phone=entry["phone"], custom=entry["custom"] or {}
    )
    content = content_personalise(version.content, values)
    verdict, detail = None, ""
    try:
        plan.channel.driver.validate(content)
    except ContentError as error:
        verdict, detail = SkippedRecipient.Reason.CONTENT, str(error)
    kept = {name: entry[name] for name in ("key", "contact_id", "address", "variant", "due_at")}
    return {**kept, "type": content["type"], "content": content, "verdict": verdict, "detail": detail}


def _skip_next(plan: LaunchPlan, error: str) -> Piece | None:
    """Pass over one recipient whose data the database itself refuses: one bad row never halts a campaign."""
    with transaction.atomic():
        run = _locked(plan.run)
        if run is None:
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT key, contact_id FROM ({plan.audience.sql}) AS picked",  # noqa: S608  our own text
                {**plan.audience.params, "after": run.cursor, "until": run.last_key, "limit": 1},
            )
            row = cursor.fetchone()
        if row is None:
            return Piece(0, 0, run.cursor)
        key, contact_id = row
        reason = SkippedRecipient.Reason.UNUSABLE
        _skipped, is_new = SkippedRecipient.objects.get_or_create(
            run_id=run.pk,
            address=f"#{contact_id or f'entry {key}'}",
            defaults={"contact_id": contact_id, "reason": reason, "detail": error.splitlines()[0][:300]},
        )
        if is_new:
            minute = datetime.now(UTC).replace(second=0, microsecond=0)
            RunCount.objects.create(run_id=run.pk, minute=minute, metric=f"held.{reason}", count=1)
        Run.objects.filter(pk=run.pk).update(cursor=key, position=F("position") + 1)
        return Piece(1, 0, key)
