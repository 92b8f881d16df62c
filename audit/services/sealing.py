"""The chain: each entry's hash covers the entry and the hash before it, so nothing can be altered or taken out unseen.

Entries are sealed in batches a few seconds after they were written: chaining them while they are written would make all
changes of an organisation wait for each other. What is sealed, and in which order, is decided under a lock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from audit.models import AuditChain, AuditEntry
from tenants.agenda import agenda_handler

KIND: Final = "audit_seal"
BATCH: Final = 2000
# Written entries wait this long; entries of transactions that commit later come with the next batch.
DELAY: Final = timedelta(seconds=5)
_FIELDS: Final = (
    "id", "action", "object_type", "object_id", "object_label", "old_values", "new_values", "actor_kind", "actor_id",
    "actor_label", "membership_id", "address", "agent", "request_id", "created_at",
)  # fmt: skip

# Puts the item there, or brings it forward; a row that is due soon anyway is not touched, so nobody queues for it.
_SOON = """
WITH moved AS (
    UPDATE public.tenants_agendaitem SET due_at = now() + %(delay)s * interval '1 second'
    WHERE schema = %(schema)s AND kind = %(kind)s AND key = '' AND due_at > now() + 2 * %(delay)s * interval '1 second')
INSERT INTO public.tenants_agendaitem (schema, kind, key, due_at)
VALUES (%(schema)s, %(kind)s, '', now() + %(delay)s * interval '1 second') ON CONFLICT (schema, kind, key) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold."""

    position: int
    entry_id: int | None
    reason: str


def seal_soon(schema: str) -> None:
    """Have the entries of `schema` sealed within seconds. Called after the commit that wrote them."""
    with connection.cursor() as cursor:
        cursor.execute(_SOON, {"schema": schema, "kind": KIND, "delay": DELAY.total_seconds()})


@agenda_handler(KIND)
def _seal_when_due(schema: str, key: str) -> datetime | None:
    """Seal; a look a day later takes up what a process that died after its commit did not announce."""
    sealed = entries_seal()
    return timezone.now() + (DELAY if sealed == BATCH else timedelta(days=1))


def entries_seal(*, limit: int = BATCH) -> int:
    """Seal up to `limit` entries of the current schema, oldest first; returns how many. Safe to call at once."""
    with transaction.atomic():
        AuditChain.objects.get_or_create(pk=1)
        chain = AuditChain.objects.select_for_update().get(pk=1)
        entries = list(AuditEntry.objects.filter(position__isnull=True).order_by("id").values(*_FIELDS)[:limit])
        if not entries:
            return 0
        position, digest = chain.last_position, chain.last_hash
        sealed: list[tuple[int, int, str]] = []
        for entry in entries:
            position += 1
            digest = entry_hash(digest, position, entry)
            sealed.append((entry["id"], position, digest))
        _write(sealed)
        AuditChain.objects.filter(pk=1).update(last_position=position, last_hash=digest, sealed_at=timezone.now())
    return len(sealed)


def chain_verify() -> Break | None:
    """The first altered, missing or inserted entry of the current schema's chain; None when all of it holds.

    Reads the table once, in order, in bounded memory. Entries that are not sealed yet are no part of it.
    """
    chain = AuditChain.objects.filter(pk=1).first()
    if chain is None:
        found = AuditEntry.objects.filter(position__isnull=False).order_by("position").first()
        return None if found is None else Break(found.position or 0, found.pk, "The chain's own row is missing.")
    expected, digest = chain.start_position, chain.start_hash
    for entry in _sealed(chain.start_position):
        expected += 1
        if entry["position"] != expected:
            reason = f"{entry['position'] - expected} entries are missing before this one."
            return Break(expected, entry["id"], reason)
        digest = entry_hash(digest, expected, entry)
        if digest != entry["hash"]:
            return Break(expected, entry["id"], "The entry has been altered since it was sealed.")
    if expected != chain.last_position:
        return Break(expected + 1, None, f"{chain.last_position - expected} entries are missing at the end.")
    if digest != chain.last_hash:
        return Break(expected, None, "The end of the chain is not the one that was sealed.")
    return None


def entry_hash(previous: str, position: int, entry: dict[str, Any]) -> str:
    """SHA-256 in hex over the previous hash, the place and the entry as canonical JSON (keys sorted, UTC times)."""
    values = {name: entry[name] for name in _FIELDS} | {"created_at": entry["created_at"].astimezone(UTC).isoformat()}
    text = json.dumps([previous, position, values], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _sealed(after: int) -> Iterator[dict[str, Any]]:
    while True:
        rows = list(
            AuditEntry.objects.filter(position__gt=after)
            .order_by("position")
            .values(*_FIELDS, "position", "hash")[:BATCH]
        )
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1]["position"]


def _write(sealed: list[tuple[int, int, str]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_auditentry entry SET position = row.position, hash = row.hash"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS row(id, position, hash) WHERE entry.id = row.id",
            [list(column) for column in zip(*sealed, strict=True)],
        )
