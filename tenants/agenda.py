"""The agenda: put something on it, and it is done at its time, once, whichever process ticks.

Time lives here and not in the broker: an item survives any restart, and two schedulers or ten workers fire it once,
because leasing is one guarded UPDATE, and so is starting: of two deliveries of one lease the second finds it started.
The lease of a running handler is kept by a heartbeat, however long it takes; one whose worker died is fired again when
its lease ends, within a minute, so handlers are idempotent. Lanes (a channel's sends, a webhook endpoint's deliveries)
are leased by their pumps; the tick only wakes them.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import shared_task
from django.db import DatabaseError, connection
from django.utils import timezone
from django_tenants.utils import get_public_schema_name, schema_context

from tenants.errors import ServiceError
from tenants.models import AgendaItem

log = structlog.get_logger(__name__)

LANE = "channel"
WEBHOOK_LANE = "webhook"
# Permanent items that pumps lease themselves, see `tenants.lanes`.
LANE_KINDS = (LANE, WEBHOOK_LANE)
# From handing an item to a worker until it starts (the broker may lose it), and between the heartbeats of its handler.
LEASE = timedelta(seconds=60)
HEARTBEAT_SECONDS = 20.0
# A lane that was woken is woken again after this long if nobody took it: the broker may have lost the wake-up.
LANE_REPEAT = timedelta(seconds=5)
BATCH = 200
MAX_BACKOFF = timedelta(hours=1)

# A handler gets (schema, key) inside that schema and returns the next time it wants to run, or None for "done".
Handler = Callable[[str, str], datetime | None]
_handlers: dict[str, Handler] = {}
Waker = Callable[[str, int], None]
_lane_wakers: dict[str, Waker] = {}
# What this process has noted -> until when it need not ask again. Bounded: forgetting costs a statement.
NOTED_MOST = 10_000
_noted: dict[tuple[str, str, str], float] = {}


@dataclass(frozen=True, slots=True)
class Lease:
    """An item that this process owns until its lease ends; `fence` proves it."""

    item_id: int
    schema: str
    kind: str
    key: str
    fence: int


def process_name() -> str:
    """Who leases: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def agenda_handler(kind: str) -> Callable[[Handler], Handler]:
    """Register the function that does items of `kind`. Two handlers of one kind are a programming error."""

    def register(handler: Handler) -> Handler:
        if _handlers.setdefault(kind, handler) is not handler:
            raise RuntimeError(f"two handlers for agenda items of kind {kind!r}")
        return handler

    return register


def lane_waker(kind: str, wake: Waker) -> None:
    """Register the function that wakes the lane (schema, id) of `kind`, which is one of LANE_KINDS."""
    if kind not in LANE_KINDS:
        raise ValueError(f"{kind!r} is no kind of lane")
    _lane_wakers[kind] = wake


def agenda_put(*, schema: str, kind: str, key: str, due_at: datetime) -> None:
    """Do (kind, key) of `schema` at `due_at`; an item that is already there moves to the new time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO public.tenants_agendaitem (schema, kind, key, due_at) VALUES (%s, %s, %s, %s)
               ON CONFLICT (schema, kind, key) DO UPDATE SET due_at = EXCLUDED.due_at""",
            [schema, kind, key, due_at],
        )


def agenda_note(*, schema: str, kind: str, key: str = "", within: timedelta) -> None:
    """Have (kind, key) of `schema` done within `within`; an item that is already there keeps its time.

    For work that piles up batch by batch, such as rows to tidy: a process asks the database at most once in half of
    `within`. Call it after the commit. What is noted while the item's handler is just ending may be lost until the next
    note, so only for work that can wait for it.
    """
    noted, now = (schema, kind, key), time.monotonic()
    if _noted.get(noted, 0.0) > now:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO public.tenants_agendaitem (schema, kind, key, due_at) VALUES (%s, %s, %s, %s)
               ON CONFLICT (schema, kind, key) DO NOTHING""",
            [schema, kind, key, timezone.now() + within],
        )
    if len(_noted) >= NOTED_MOST:
        _noted.clear()
    _noted[noted] = now + within.total_seconds() / 2


def lanes_wake(*, schema: str) -> None:
    """Have every lane of `schema` looked at with the next tick, such as after a suspension has ended."""
    AgendaItem.objects.filter(schema=schema, kind__in=LANE_KINDS).update(due_at=timezone.now())


def agenda_drop(*, schema: str, kind: str, key: str) -> None:
    """Take (kind, key) of `schema` off the agenda."""
    AgendaItem.objects.filter(schema=schema, kind=kind, key=key).delete()


def agenda_tick(*, limit: int = BATCH) -> int:
    """Wake the lanes that are due and lease the other items that are due, for all organisations in one query each.

    Returns how many were started. Safe to run anywhere at the same time as often as you like.
    """
    lanes = _lanes_due(limit)
    for kind, schema, lane_id in lanes:
        _lane_wakers[kind](schema, lane_id)
    leases = _items_lease(limit)
    for lease in leases:
        run_item.delay(lease.item_id, lease.schema, lease.kind, lease.key, lease.fence)
    return len(lanes) + len(leases)


def _lanes_due(limit: int) -> list[tuple[str, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE public.tenants_agendaitem SET due_at = now() + %s * interval '1 second'
               WHERE id IN (
                   SELECT item.id FROM public.tenants_agendaitem item
                   JOIN public.tenants_organization organization ON organization.schema_name = item.schema
                   WHERE item.due_at <= now() AND item.kind = ANY(%s) AND organization.status = 'active'
                     AND (item.leased_until IS NULL OR item.leased_until < now())
                   ORDER BY item.due_at LIMIT %s FOR UPDATE OF item SKIP LOCKED)
               RETURNING kind, schema, key""",
            [LANE_REPEAT.total_seconds(), list(LANE_KINDS), limit],
        )
        return [(kind, schema, int(key)) for kind, schema, key in cursor.fetchall()]


def _items_lease(limit: int, *, only: int | None = None) -> list[Lease]:
    """Lease what is due, or the item `only` if it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE public.tenants_agendaitem
               SET leased_until = now() + %s * interval '1 second', lease_owner = %s, fence = fence + 1,
                   attempts = attempts + 1
               WHERE id IN (
                   SELECT id FROM public.tenants_agendaitem
                   WHERE due_at <= now() AND kind <> ALL(%s) AND (leased_until IS NULL OR leased_until < now())
                     AND (%s::bigint IS NULL OR id = %s)
                   ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)
               RETURNING id, schema, kind, key, fence""",
            [LEASE.total_seconds(), process_name(), list(LANE_KINDS), only, only, limit],
        )
        return [Lease(*row) for row in cursor.fetchall()]


@shared_task(name="tenants.agenda.tick")
def tick() -> None:
    """One tick; beat sends it every second."""
    agenda_tick()


@shared_task(name="tenants.agenda.run_item")
def run_item(item_id: int, schema: str, kind: str, key: str, fence: int) -> None:
    """Do one leased item. A stale delivery (another fence), or a second one of the same lease, does nothing."""
    started = _item_start(item_id, fence)
    if started is None:
        return
    handler = _handlers.get(kind)
    if handler is None:
        _item_failed(started, f"no handler for {kind!r}")
        return
    try:
        with _lease_kept(started):
            if schema == get_public_schema_name():
                next_at = handler(schema, key)
            else:
                with schema_context(schema):
                    next_at = handler(schema, key)
    except ServiceError as error:
        # Not a fault of ours: a provider is away, a plan's limit is reached.
        log.warning("agenda_item_refused", schema=schema, kind=kind, key=key, code=error.code, reason=error.message)
        _item_failed(started, f"{error.code}: {error}")
        return
    except Exception as error:
        log.exception("agenda_item_failed", schema=schema, kind=kind, key=key)
        _item_failed(started, f"{type(error).__name__}: {error}")
        return
    _item_done(started, next_at)
    if next_at is not None and next_at <= timezone.now():
        _item_go_on(started)


@dataclass(frozen=True, slots=True)
class _Started:
    """An item whose handler runs here, under a fence of its own, and when it was due."""

    item_id: int
    fence: int
    due_at: datetime | None


def _item_start(item_id: int, fence: int) -> _Started | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE public.tenants_agendaitem
               SET fence = fence + 1, leased_until = now() + %s * interval '1 second', lease_owner = %s
               WHERE id = %s AND fence = %s AND leased_until > now()
               RETURNING fence, due_at""",
            [LEASE.total_seconds(), process_name(), item_id, fence],
        )
        row = cursor.fetchone()
        return None if row is None else _Started(item_id, *row)


@contextmanager
def _lease_kept(started: _Started) -> Iterator[None]:
    """Extend the lease every HEARTBEAT_SECONDS from a thread with a connection of its own, opened when first needed."""
    ended = threading.Event()

    def extend() -> None:
        try:
            while not ended.wait(HEARTBEAT_SECONDS):
                try:
                    owned = AgendaItem.objects.filter(pk=started.item_id, fence=started.fence)
                    if not owned.update(leased_until=timezone.now() + LEASE):
                        log.warning("agenda_lease_lost", item=started.item_id)
                        return
                except DatabaseError as error:
                    # The next beat tries again; without one in time the item is fired again elsewhere.
                    log.warning("agenda_lease_not_extended", item=started.item_id, error=str(error))
                    connection.close()
        finally:
            connection.close()

    thread = threading.Thread(target=extend, name="agenda-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _item_done(started: _Started, next_at: datetime | None) -> None:
    """Take the item off or set its next time; a time that somebody put meanwhile is kept, the earlier one counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """DELETE FROM public.tenants_agendaitem
               WHERE %(next)s::timestamptz IS NULL AND id = %(id)s AND fence = %(fence)s AND due_at = %(due)s""",
            _end(started, next_at),
        )
        if cursor.rowcount == 0:
            cursor.execute(
                """UPDATE public.tenants_agendaitem
                   SET due_at = LEAST(%(next)s, CASE WHEN due_at <> %(due)s THEN due_at END),
                       leased_until = NULL, lease_owner = '', attempts = 0, last_error = ''
                   WHERE id = %(id)s AND fence = %(fence)s""",
                _end(started, next_at),
            )


def _item_go_on(started: _Started) -> None:
    """An item done in slices goes behind what the queue holds, without waiting for the tick."""
    for lease in _items_lease(1, only=started.item_id):
        run_item.delay(lease.item_id, lease.schema, lease.kind, lease.key, lease.fence)


def _item_failed(started: _Started, error: str) -> None:
    """Have it fired again after a pause that doubles from 10 s to an hour, or at a time that somebody put meanwhile."""
    values: dict[str, Any] = {**_end(started, None), "error": error.replace("\0", ""), "longest": MAX_BACKOFF}
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE public.tenants_agendaitem
               SET due_at = LEAST(now() + LEAST(power(2, LEAST(attempts, 12)) * interval '5 seconds', %(longest)s),
                                  CASE WHEN due_at <> %(due)s THEN due_at END),
                   leased_until = NULL, lease_owner = '', last_error = left(%(error)s, 2000)
               WHERE id = %(id)s AND fence = %(fence)s""",
            values,
        )


def _end(started: _Started, next_at: datetime | None) -> dict[str, Any]:
    return {"id": started.item_id, "fence": started.fence, "due": started.due_at, "next": next_at}
