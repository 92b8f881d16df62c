"""Removing what is old: which period counts, the runs, and when the next one is.

A run takes an organisation's rules in their order, step by step, until nothing is left to do or its slice of time is
used up; then it goes on a little later. Each step and the note of how far it came are one short transaction, so a run
that is killed is continued, and two at once remove nothing twice. Only one slice runs at a time on the whole platform.
"""

from __future__ import annotations

import json
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import redis
import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name

from config.heartbeat import monitor_redis
from tenants.agenda import agenda_handler, agenda_put
from tenants.connection import connection
from tenants.errors import InvalidInput
from tenants.models import AgendaItem, Organization, RetentionPeriod, RetentionState
from tenants.services.retention_rules import RetentionRule, Step, retention_rules

log = structlog.get_logger(__name__)

AGENDA_KIND: Final = "retention"
MAX_DAYS: Final = 36_500
# Between two slices of one organisation, and when somebody else's slice is running.
_GO_ON: Final = timedelta(seconds=5)
_BUSY: Final = timedelta(seconds=15)
# A rule that was done this short a time ago is not begun again while the run goes on with the others.
_RUN: Final = timedelta(hours=6)
# Removal waits for the night, between 1 and 4 o'clock in the organisation's zone, each at its own minute.
_NIGHT_FROM: Final = 1
_NIGHT_SECONDS: Final = 3 * 3600
_LOCK: Final = "griot:retention"
SetBy = RetentionPeriod.SetBy


@dataclass(frozen=True, slots=True)
class Period:
    """How long one kind of data is kept, in days; None is for ever.

    `granted` is the most that the platform allows, `chosen` says whether the organisation has set its own (`own`);
    `days` is what counts: the smaller of both.
    """

    rule: RetentionRule
    granted: int | None
    chosen: bool = False
    own: int | None = None

    @property
    def days(self) -> int | None:
        return _shorter(self.own, self.granted) if self.chosen else self.granted

    def before(self, now: datetime) -> datetime | None:
        """What is older than this goes; None: nothing."""
        return None if self.days is None else now - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice of a run did. `next_at`: when to go on or run again; None when nothing is left."""

    removed: int
    finished: bool
    next_at: datetime | None


def retention_periods(*, organization_id: int | None) -> list[Period]:
    """The periods of an organisation in the order of the rules; those of the platform's own tables for None."""
    set_: dict[tuple[str, str], int | None] = {}
    if organization_id is not None:
        rows = RetentionPeriod.objects.filter(organization_id=organization_id)
        set_ = {(kind, by): days for kind, by, days in rows.values_list("kind", "set_by", "days")}
    return [
        Period(
            rule,
            granted=set_.get((rule.kind, SetBy.PLATFORM), settings.RETENTION_DAYS[rule.kind]),
            chosen=(rule.kind, SetBy.ORGANIZATION) in set_,
            own=set_.get((rule.kind, SetBy.ORGANIZATION)),
        )
        for rule in retention_rules(public=organization_id is None)
    ]


def retention_set(*, organization: Organization, kind: str, set_by: str, days: int | None) -> None:
    """Keep `kind` for `days` (None: for ever); with `set_by` platform it is the most that the organisation may choose.

    In force from the organisation's next run on, which is in the coming night. Raises InvalidInput naming `kind` or
    `days`.
    """
    period = next((item for item in retention_periods(organization_id=organization.pk) if item.rule.kind == kind), None)
    if period is None:
        raise InvalidInput("unknown_kind", _("There is no such kind of data."), {"kind": _("unknown")})
    _days_check(period, set_by, days)
    with transaction.atomic():
        RetentionPeriod.objects.update_or_create(
            organization=organization, kind=kind, set_by=set_by, defaults={"days": days}
        )
        _plan_tonight(organization)


def retention_reset(*, organization: Organization, kind: str, set_by: str) -> None:
    """Forget what was set: the default, or what the platform grants, counts again."""
    with transaction.atomic():
        RetentionPeriod.objects.filter(organization=organization, kind=kind, set_by=set_by).delete()
        _plan_tonight(organization)


def _days_check(period: Period, set_by: str, days: int | None) -> None:
    floor = period.rule.floor_days
    if days is not None and not floor <= days <= MAX_DAYS:
        text = _("From %(least)s to %(most)s days, or for ever.") % {"least": floor, "most": MAX_DAYS}
        raise InvalidInput("invalid_days", text, {"days": text})
    if set_by == SetBy.ORGANIZATION and _shorter(days, period.granted) != days:
        text = _("At most %(most)s days.") % {"most": period.granted}
        raise InvalidInput("days_not_granted", text, {"days": text})


def _shorter(one: int | None, other: int | None) -> int | None:
    return min((days for days in (one, other) if days is not None), default=None)


def _plan_tonight(organization: Organization) -> None:
    agenda_put(
        schema=organization.schema_name,
        kind=AGENDA_KIND,
        key="",
        due_at=night_after(timezone.now(), zone=organization.time_zone, seed=organization.schema_name),
    )


def retention_plan() -> int:
    """Put schemas that hold data of any rule and are not on the agenda on it; returns how many.

    One statement for all. Whether a table holds anything is read from the size of its file, so organisations without
    data are never entered and cost next to nothing. Each begins at its own second of the hour.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _PLAN,
            {
                "kind": AGENDA_KIND,
                "public": get_public_schema_name(),
                "tables": [rule.table for rule in retention_rules(public=False)],
            },
        )
        return int(cursor.rowcount)


_PLAN: Final = """
INSERT INTO public.tenants_agendaitem (schema, kind, key, due_at)
SELECT organization.schema_name, %(kind)s, '', now() + abs(hashtext(organization.schema_name)) %% 3600 * interval '1 s'
FROM public.tenants_organization organization
WHERE organization.status <> 'deleted' AND NOT organization.is_template
  AND NOT EXISTS (SELECT 1 FROM public.tenants_agendaitem item
                  WHERE item.schema = organization.schema_name AND item.kind = %(kind)s AND item.key = '')
  AND (organization.schema_name = %(public)s OR EXISTS (
      SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE nspname = organization.schema_name AND relname = ANY(%(tables)s) AND relkind = 'r'
        AND pg_relation_size(pg_class.oid) > 0))
ON CONFLICT (schema, kind, key) DO NOTHING
"""


@agenda_handler(AGENDA_KIND)
def retention_when_due(schema: str, key: str) -> datetime | None:
    """Agenda: one slice of the run of `schema`, which is entered; says when it wants to go on."""
    with _alone() as alone:
        if not alone:
            return timezone.now() + _BUSY
        return retention_run(schema=schema, seconds=settings.RETENTION_SLICE_SECONDS).next_at


def retention_run(*, schema: str, seconds: float) -> Slice:
    """Remove what is old in `schema`, which must be the current one, for at most about `seconds`."""
    if connection.schema_name != schema:
        raise RuntimeError(f"the current schema is {connection.schema_name}, not {schema}")
    organization = Organization.objects.filter(schema_name=schema).first()
    is_public = schema == get_public_schema_name()
    if organization is None or organization.status == Organization.Status.DELETED:
        return Slice(0, True, None)
    now, deadline = timezone.now(), time.monotonic() + seconds
    states = {state.kind: state for state in RetentionState.objects.filter(schema=schema)}
    periods = retention_periods(organization_id=None if is_public else organization.pk)
    goes_on = any(state.finished_at is None for state in states.values())
    removed = 0
    for period in periods:
        before, state = period.before(now), states.get(period.rule.kind)
        if before is None or (goes_on and state and state.finished_at and state.finished_at > now - _RUN):
            continue
        state = state or RetentionState(schema=schema, kind=period.rule.kind)
        done, finished = _rule_run(period.rule, state, before, deadline)
        removed += done
        if not finished:
            return Slice(removed, False, timezone.now() + _GO_ON)
        states[period.rule.kind] = state
    zone = "UTC" if is_public else organization.time_zone
    return Slice(removed, True, _next_run(periods, states, zone=zone, seed=schema, always=is_public))


def _rule_run(rule: RetentionRule, state: RetentionState, before: datetime, deadline: float) -> tuple[int, bool]:
    """Step on until the rule is done or the time is over; (rows removed, whether it is done)."""
    removed, begins = 0, state.pk is None or state.finished_at is not None
    while True:
        began = time.monotonic()
        with transaction.atomic():
            step = rule.step(before=before, position=state.position)
            _step_note(state, step, begins=begins)
        state.position, begins = step.position, False
        removed += step.removed
        if step.finished:
            return removed, True
        if time.monotonic() > deadline:
            return removed, False
        # Others get the disk for as long as we had it, up to half a second.
        time.sleep(min(time.monotonic() - began, 0.5))


_NOTE: Final = """
INSERT INTO public.tenants_retentionstate AS state
    (schema, kind, position, started_at, finished_at, removed, removed_total)
VALUES (%(schema)s, %(kind)s, %(position)s, now(), CASE WHEN %(finished)s THEN now() END, %(removed)s, %(removed)s)
ON CONFLICT (schema, kind) DO UPDATE
SET position = EXCLUDED.position, finished_at = EXCLUDED.finished_at,
    started_at = CASE WHEN %(begins)s THEN EXCLUDED.started_at ELSE state.started_at END,
    removed = CASE WHEN %(begins)s THEN 0 ELSE state.removed END + EXCLUDED.removed,
    removed_total = state.removed_total + EXCLUDED.removed
"""


def _step_note(state: RetentionState, step: Step, *, begins: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE,
            {
                "schema": state.schema,
                "kind": state.kind,
                "position": json.dumps(step.position),
                "finished": step.finished,
                "removed": step.removed,
                "begins": begins,
            },
        )


def _next_run(
    periods: list[Period], states: dict[str, RetentionState], *, zone: str, seed: str, always: bool
) -> datetime | None:
    """The first night after the oldest row will be too old; None without rows, until `retention_plan` finds some."""
    now, ripe = timezone.now(), []
    for period in periods:
        if period.days is not None:
            state = states.get(period.rule.kind)
            oldest = period.rule.oldest(position=state.position if state else {})
            if oldest is not None:
                ripe.append(oldest + timedelta(days=period.days))
    if not ripe and not always:
        return None
    return night_after(max([now, min(ripe, default=now)]), zone=zone, seed=seed)


def night_after(moment: datetime, *, zone: str, seed: str) -> datetime:
    """The next time after `moment` that is at this seed's minute of the night, in `zone`."""
    into_night = timedelta(seconds=zlib.crc32(seed.encode()) % _NIGHT_SECONDS)
    local = moment.astimezone(ZoneInfo(zone))
    for day in range(3):
        midnight = (local + timedelta(days=day)).replace(hour=_NIGHT_FROM, minute=0, second=0, microsecond=0)
        found = midnight.astimezone(UTC) + into_night
        if found > moment:
            return found
    raise AssertionError("one of three nights lies ahead")


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else removes anything now, so that ticks and other work find a free worker.

    Without Redis several may run: they get in nobody's way but the disk's.
    """
    client, token = monitor_redis(), secrets.token_hex(8)
    try:
        taken = bool(client.set(_LOCK, token, nx=True, ex=settings.RETENTION_SLICE_SECONDS + 60))
    except redis.RedisError as error:
        log.warning("retention_not_locked", error=type(error).__name__)
        yield True
        return
    try:
        yield taken
    finally:
        if taken:
            _release(client, token)


def _release(client: redis.Redis, token: str) -> None:
    try:
        if client.get(_LOCK) == token:
            client.delete(_LOCK)
    except redis.RedisError as error:
        # It ends by itself.
        log.warning("retention_lock_kept", error=type(error).__name__)


@dataclass(frozen=True, slots=True)
class Outlook:
    """One kind of data in a report: what counts, what would go now (`ripe`, no more than asked for), how it went."""

    period: Period
    before: datetime | None
    ripe: int
    oldest: datetime | None
    state: RetentionState | None


def retention_outlook(*, organization: Organization | None, most: int) -> list[Outlook]:
    """What a run would remove now, for the organisation whose schema is current, or the platform (None).

    Nothing is changed; each rule looks at no more than `most` rows.
    """
    schema = get_public_schema_name() if organization is None else organization.schema_name
    states = {state.kind: state for state in RetentionState.objects.filter(schema=schema)}
    now = timezone.now()
    found = []
    for period in retention_periods(organization_id=organization and organization.pk):
        state, before = states.get(period.rule.kind), period.before(now)
        position = state.position if state else {}
        ripe = 0 if before is None else period.rule.ripe(before=before, position=position, most=most)
        found.append(Outlook(period, before, ripe, period.rule.oldest(position=position), state))
    return found


def retention_next(*, schema: str) -> datetime | None:
    """When the next run of `schema` is due; None when nothing is planned."""
    item = AgendaItem.objects.filter(schema=schema, kind=AGENDA_KIND, key="").first()
    return item.due_at if item else None
