"""Replaying everything since a time: a background job in batches, driven by the agenda."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from tenants.agenda import agenda_handler, agenda_put
from tenants.connection import connection as tenant_connection
from tenants.errors import Conflict, InvalidInput, NotFound
from webhooks_app.models import Replay
from webhooks_app.services.endpoints import endpoint_get
from webhooks_app.services.lanes import lane_look

AGENDA_KIND: Final = "webhook_replay"
# Deliveries looked at per statement, and how many may wait at the endpoint before the next batch comes.
BATCH: Final = 2_000
WAITING_MOST: Final = 10_000
_SOON: Final = timedelta(seconds=1)
_BUSY: Final = timedelta(seconds=10)

# One batch by age: those that are finished go back into the queue in their old order, with their old webhook-id.
_STEP = """
WITH looked AS MATERIALIZED (
    SELECT id, status, event_id, event_type FROM webhooks_app_delivery
    WHERE endpoint_id = %(endpoint)s AND id > %(cursor)s AND created_at >= %(since)s AND created_at <= %(until)s
    ORDER BY id LIMIT %(limit)s),
again AS (
    UPDATE webhooks_app_delivery delivery
    SET status = 'pending', attempts = 0, due_at = now(), finished_at = NULL, error = '', fence = NULL
    FROM looked JOIN webhooks_app_event event ON event.id = looked.event_id
    WHERE delivery.id = looked.id AND delivery.status = ANY(%(statuses)s) AND delivery.event_type <> 'webhook.test'
      AND NOT event.data ? 'removed'
    RETURNING delivery.id)
SELECT (SELECT count(*) FROM looked), (SELECT max(id) FROM looked), (SELECT count(*) FROM again)
"""

_WAITING = """
SELECT count(*) FROM (
    SELECT 1 FROM webhooks_app_delivery
    WHERE endpoint_id = %(endpoint)s AND status IN ('pending', 'sending') AND status = 'pending' AND due_at <= now()
    LIMIT %(most)s) AS waiting
"""


def replay_start(
    *, endpoint_id: int, since: datetime, until: datetime | None = None, failed_only: bool = True
) -> Replay:
    """Deliver everything of the endpoint that was created in [since, until] again, oldest first, in the background.

    `failed_only` leaves out what arrived. `until` defaults to now. Raises `NotFound`, `InvalidInput` for a time in the
    future, `Conflict` when the endpoint is off or a replay of it is running.
    """
    endpoint = endpoint_get(id=endpoint_id)
    now = timezone.now()
    end = min(until or now, now)
    if since >= end:
        raise InvalidInput(
            "invalid_period", _("The period is empty."), {"since": _("must be before now and before the end")}
        )
    if not endpoint.is_active:
        raise Conflict("webhook_off", _("The webhook is switched off."))
    try:
        with transaction.atomic():
            replay = Replay.objects.create(endpoint=endpoint, since=since, until=end, failed_only=failed_only)
            agenda_put(schema=tenant_connection.schema_name, kind=AGENDA_KIND, key=str(replay.pk), due_at=now)
            period = {"since": since, "until": end, "failed_only": failed_only}
            audit_record(action="webhook.replay_started", subject=endpoint, new=period)
    except IntegrityError as error:
        raise Conflict("replay_running", _("A replay of this webhook is running already.")) from error
    return replay


def replay_get(*, uuid: UUID) -> Replay:
    """One replay with its progress. Raises `NotFound`."""
    found = Replay.objects.select_related("endpoint").filter(uuid=uuid).first()
    if found is None:
        raise NotFound("replay_not_found", _("No such replay."))
    return found


def replay_cancel(*, replay_id: int) -> None:
    """Put nothing more into the queue. Raises `Conflict` when it is not running."""
    running = Replay.objects.filter(pk=replay_id, status=Replay.Status.RUNNING)
    with transaction.atomic():
        if not running.update(status=Replay.Status.CANCELLED, finished_at=timezone.now()):
            raise Conflict("replay_not_running", _("The replay is not running."))
        replay = Replay.objects.select_related("endpoint").get(pk=replay_id)
        audit_record(action="webhook.replay_cancelled", subject=replay.endpoint, old={"replayed": replay.replayed})


@agenda_handler(AGENDA_KIND)
def replay_continue(schema: str, key: str) -> datetime | None:
    """The next batch; returns when to come again. Batch and cursor are one transaction, so a crash repeats nothing."""
    with transaction.atomic():
        replay = (
            Replay.objects.select_for_update()
            .select_related("endpoint")
            .filter(pk=int(key), status=Replay.Status.RUNNING)
            .first()
        )
        if replay is None:
            return None
        if not replay.endpoint.is_active:
            Replay.objects.filter(pk=replay.pk).update(status=Replay.Status.CANCELLED, finished_at=timezone.now())
            return None
        return timezone.now() + _BUSY if _is_busy(replay) else _step(replay)


def _is_busy(replay: Replay) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"endpoint": replay.endpoint_id, "most": WAITING_MOST})
        return int(cursor.fetchone()[0]) >= WAITING_MOST


def _step(replay: Replay) -> datetime | None:
    statuses = ["failed", "cancelled"] + ([] if replay.failed_only else ["succeeded"])
    with connection.cursor() as cursor:
        cursor.execute(
            _STEP,
            {
                "endpoint": replay.endpoint_id,
                "cursor": replay.cursor,
                "since": replay.since,
                "until": replay.until,
                "limit": BATCH,
                "statuses": statuses,
            },
        )
        looked, last, again = cursor.fetchone()
    if again:
        lane_look(endpoint_id=replay.endpoint_id)
    done = looked < BATCH
    changes = {"status": Replay.Status.DONE, "finished_at": timezone.now()} if done else {}
    Replay.objects.filter(pk=replay.pk).update(cursor=last or replay.cursor, replayed=F("replayed") + again, **changes)
    return None if done else timezone.now() + _SOON
