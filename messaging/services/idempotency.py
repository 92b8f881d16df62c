"""Repeating a request safely: the first answer is kept with its effect, in one transaction.

Nobody waits: while the first request runs, a second one with the same key is refused (`idempotency_in_progress`).
Only answers that had an effect are kept; a refused request can be corrected and sent again under the same key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.models import IdempotencyRecord
from tenants.errors import Conflict, InvalidInput

KEEP: Final = timedelta(hours=24)
MAX_KEY: Final = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in JSON values. `replayed`: it was given before, and nothing happened now."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


def idempotent_run(
    *, caller_id: int, key: str, request_hash: str, effect: Callable[[], tuple[int, dict[str, Any]]]
) -> Answer:
    """Run `effect` once for (caller_id, key) within 24 hours; later calls get its answer.

    `caller_id`: the id of the API key, or below zero that of the member who called.

    `request_hash`: 64 hex digits over operation and body. `effect` returns (status, JSON body) and writes in the
    transaction that is open around it. Raises `InvalidInput` (`idempotency_key_invalid`, `idempotency_key_reused`)
    and `Conflict` (`idempotency_in_progress`).
    """
    _key_check(key)
    with transaction.atomic():
        _lock(caller_id, key)
        record = IdempotencyRecord.objects.filter(api_key_id=caller_id, key=key).first()
        if record is not None and record.created_at > timezone.now() - KEEP:
            return _replay(record, request_hash)
        status, body = effect()
        kept = record or IdempotencyRecord(api_key_id=caller_id, key=key)
        kept.request_hash, kept.response_status, kept.response_body = request_hash, status, body
        kept.created_at = timezone.now()
        kept.save()
    return Answer(status, body)


def _key_check(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        text = _("An Idempotency-Key has 1 to %(most)s printable characters.") % {"most": MAX_KEY}
        raise InvalidInput("idempotency_key_invalid", text, {"Idempotency-Key": text})


def _lock(caller_id: int, key: str) -> None:
    """Take the transaction's advisory lock on the key; ids of callers are unique over all organisations."""
    digest = hashlib.sha256(f"idempotency:{caller_id}:{key}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        (taken,) = cursor.fetchone()
    if not taken:
        text = _("A request with this Idempotency-Key is still running. Repeat it in a moment to get its answer.")
        raise Conflict("idempotency_in_progress", text, retry_after=1)


def _replay(record: IdempotencyRecord, request_hash: str) -> Answer:
    if record.request_hash != request_hash:
        text = _("This Idempotency-Key was used for another request within the last 24 hours. Use a new key.")
        raise InvalidInput("idempotency_key_reused", text, {"Idempotency-Key": text})
    return Answer(record.response_status, record.response_body, replayed=True)
