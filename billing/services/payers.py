"""Who pays: a member's own account, else the organisation's, else nobody, because nothing is charged."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Final

from django.db.models import F, Q

from billing.models import CreditAccount

# Switching charges on or off counts everywhere within a second.
_KNOWN_SECONDS: Final = 0.8
_KNOWN_MAX: Final = 10_000
_known: dict[tuple[str, int | None], tuple[float, int | None]] = {}


def payer_of(*, schema: str, membership_id: int | None) -> int | None:
    """The account of the current `schema` that pays for what this member sends, None when nothing is charged.

    At most 0.8 s old. Organisations without accounts are not asked: their channels' snapshots say so.
    """
    key, now = (schema, membership_id), time.monotonic()
    found = _known.get(key)
    if found is not None and now - found[0] < _KNOWN_SECONDS:
        return found[1]
    account_id = payer_read(membership_id=membership_id)
    if len(_known) >= _KNOWN_MAX:
        _known.clear()
    _known[key] = (now, account_id)
    return account_id


def payer_read(*, membership_id: int | None) -> int | None:
    """The same, read now."""
    return (
        CreditAccount.objects.filter(Q(membership_id=None) | Q(membership_id=membership_id), is_active=True)
        .order_by(F("membership_id").asc(nulls_last=True))
        .values_list("id", flat=True)
        .first()
    )


def balance_of(account_id: int) -> Decimal:
    """What is available on the account; nothing when there is no such account."""
    balance = CreditAccount.objects.filter(pk=account_id).values_list("balance", flat=True).first()
    return Decimal(0) if balance is None else balance


def payers_forget() -> None:
    """Drop this process's memory: what was changed here counts here at once."""
    _known.clear()
