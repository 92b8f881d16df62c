"""Whether a flood on one channel holds up others: 500 channels with one message a second beside 100,000 on one.

A message's time is counted from when it was accepted (`queued_at`) until the provider's ledger has it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.engine import campaign, channel_make, queue_clear, queue_messages
from bench.platform_access import control, resident_mib, wait_for
from bench.table import Row, percentile
from config.stack.instance import Instance

_PREFIX = "bench-fair-"
# Before this many messages each the lanes are cold; they are not part of the figures.
_WARM_UP = 2
_measurements = itertools.count()
_QUEUE = """
WITH inserted AS (
    INSERT INTO {schema}.messaging_message
        (uuid, channel_id, direction, status, priority, address, type, content, origin, queued_at)
    SELECT uuid, channel, 'out', 'queued', 10, %(to)s, 'text',
           '{{"type": "text", "text": {{"body": "Hello"}}}}'::jsonb, 'api', %(at)s
    FROM unnest(%(uuids)s::uuid[], %(channels)s::bigint[]) AS row(uuid, channel))
UPDATE public.tenants_agendaitem SET due_at = now() + interval '5 seconds'
WHERE schema = %(schema)s AND kind = 'channel' AND key = ANY(%(channels)s::text[])
  AND (due_at IS NULL OR due_at > now() + interval '5 seconds')
"""


@dataclass(frozen=True, slots=True)
class _Trickle:
    """One channel that gets a message a second."""

    organization: Any
    snapshot: Any
    number: str


def rows_fairness(instance: Instance, organization: Any, *, channels: int, flood: int, seconds: int) -> Iterator[Row]:
    """The trickle alone, then beside the flood; spread over ten organisations, then all in one."""
    control(instance, "PUT", "switches", {"latency_ms": 0, "webhooks": False})
    # The worker's start is not part of the figures.
    campaign(instance, organization, 500)
    with _organizations(10, "spread") as organizations:
        spread = [_trickle(organizations[index % 10]) for index in range(channels)]
        yield _measure(instance, organization, spread, 0, seconds, "10 organisations")
        yield _measure(instance, organization, spread, flood, seconds, "10 organisations")
    with _organizations(1, "together") as organizations:
        together = [_trickle(organizations[0]) for _ in range(channels)]
        yield _measure(instance, organization, together, flood, seconds, "one organisation")
    control(instance, "PUT", "switches", {"webhooks": True})


@contextmanager
def _organizations(number: int, name: str) -> Iterator[list[Any]]:
    from tenants.models import AgendaItem, Organization
    from tenants.services.organizations import organization_create
    from tenants.services.schemas import schema_drop

    try:
        yield [organization_create(name=f"Bench {index}", slug=f"{_PREFIX}{name}-{index}") for index in range(number)]
    finally:
        for organization in Organization.objects.filter(slug__startswith=_PREFIX):
            AgendaItem.objects.filter(schema=organization.schema_name).delete()
            schema_drop(organization.schema_name)
            organization.delete()


def _trickle(organization: Any) -> _Trickle:
    from django_tenants.utils import tenant_context

    from messaging.services.channels import channel_by_uuid

    channel = channel_make(organization)
    with tenant_context(organization):
        return _Trickle(
            organization,
            channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid),
            channel.external_id,
        )


def _measure(instance: Instance, flooded: Any, trickles: list[_Trickle], flood: int, seconds: int, where: str) -> Row:
    channel = channel_make(flooded, rate_per_second=0)
    # Other recipients for each measurement: the ledger tells the sends of a channel apart by them.
    prefix = f"229{62 + next(_measurements):02d}"
    if flood:
        queue_messages(flooded, channel, flood)
        wait_for(lambda: _at_provider(instance, channel.external_id) > 500, seconds=60)
    pid = instance.pid("dispatch")
    busy, began = _cpu_seconds(pid), time.monotonic()
    queued, rate = _run(trickles, seconds, prefix)
    busy, elapsed = _cpu_seconds(pid) - busy, time.monotonic() - began
    memory = resident_mib(pid)
    left = flood - _at_provider(instance, channel.external_id)
    wait_for(lambda: _arrivals(instance, queued, flood) is not None, seconds=120, every=1)
    waits = _arrivals(instance, queued, flood)
    assert waits is not None
    queue_clear(flooded)
    p95 = percentile(waits, 0.95)
    beside = f"beside {flood:,} on one" if flood else "and nothing else"
    return Row(
        f"{len(trickles)} channels in {where}, {rate:.0f} msg/s, {beside}: p95",
        f"{p95 * 1000:,.0f} ms (p50 {percentile(waits, 0.5) * 1000:,.0f})",
        "< 1,000 ms",
        p95 < 1.0,
        f"p99 {percentile(waits, 0.99) * 1000:,.0f} ms; flood {max(flood - left, 0) / elapsed:,.0f} msg/s; "
        f"dispatch worker {busy / elapsed:.0%} of a core, {memory:.0f} MiB",
    )


def _run(trickles: list[_Trickle], seconds: int, prefix: str) -> tuple[dict[tuple[str, str], float], float]:
    """Queue one message a second for every channel, evenly spread; ((number, recipient) -> time queued, messages/s).

    The messages of one organisation that are due within the same 50 ms are inserted by one statement, and each lane is
    woken as acceptance wakes it: what accepting itself costs belongs to the web processes and has its own figures.
    """
    from messaging.dispatch.wake import lane_wake

    queued: dict[tuple[str, str], float] = {}
    slots: list[dict[str, list[_Trickle]]] = [{} for _ in range(20)]
    for index, trickle in enumerate(trickles):
        slots[index % len(slots)].setdefault(trickle.organization.schema_name, []).append(trickle)
    began = time.monotonic()
    for turn in range(seconds):
        to = f"{prefix}{turn:04d}01"
        for place, slot in enumerate(slots):
            time.sleep(max(0.0, began + turn + place / len(slots) - time.monotonic()))
            for schema, due in slot.items():
                at = _queue(schema, [trickle.snapshot.id for trickle in due], to)
                for trickle in due:
                    lane_wake(schema, trickle.snapshot.id)
                    if turn >= _WARM_UP:
                        queued[trickle.number, to] = at
    return queued, seconds * len(trickles) / (time.monotonic() - began)


def _queue(schema: str, channel_ids: list[int], to: str) -> float:
    """Insert one message to `to` for each channel as acceptance leaves it; when, as epoch time."""
    from django.db import connection
    from psycopg import sql

    from tenants.fields import uuid7

    at = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(_QUEUE).format(schema=sql.Identifier(schema)),
            {"uuids": [uuid7() for _ in channel_ids], "channels": channel_ids, "to": to, "at": at, "schema": schema},
        )
    return at.timestamp()


def _arrivals(instance: Instance, queued: dict[tuple[str, str], float], flood: int) -> list[float] | None:
    """Seconds from accepted to at the provider for every message; None while some have not arrived."""
    sends = control(instance, "GET", f"ledger?limit={flood + 2 * len(queued) + 10_000}")["sends"]
    at = {(send["phone_number_id"], send["to"]): float(send["at"]) for send in sends}
    waits = [at[key] - time_queued for key, time_queued in queued.items() if key in at]
    return waits if len(waits) == len(queued) else None


def _at_provider(instance: Instance, number: str) -> int:
    return int(control(instance, "GET", "ledger/summary")["by_number"].get(number, 0))


def _cpu_seconds(pid: int) -> float:
    """Processor time that the process has used, user and system (proc(5): fields 14 and 15, in ticks of 10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
