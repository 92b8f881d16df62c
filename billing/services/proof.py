"""The nightly proof: every account's ledger adds up to its balance, and what is reserved to its open messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import connection
from django.utils import timezone

from billing.amounts import amount_text
from messaging.models.message import OPEN_STATUSES
from tenants.agenda import agenda_handler

KIND: Final = "credits_proof"
# At night, where most of our organisations are; each at its own minute.
_HOUR: Final = 2

# One statement sees everything at one moment, so nothing has to stand still.
_PROVE: Final = """
WITH written AS (
    SELECT account_id, sum(amount) AS amount, sum(held) AS held FROM billing_ledgerentry GROUP BY account_id),
reserved AS (
    SELECT credit_account_id AS account_id, sum(price) AS held, min(id) AS message FROM messaging_message
    WHERE credit_state = 'held' GROUP BY 1)
SELECT COALESCE(account.id, reserved.account_id), account.balance, COALESCE(written.amount, 0),
       COALESCE(written.held, 0), COALESCE(reserved.held, 0)
FROM billing_creditaccount account
LEFT JOIN written ON written.account_id = account.id
FULL JOIN reserved ON reserved.account_id = account.id
WHERE account.id IS NULL OR account.balance <> COALESCE(written.amount, 0)
   OR COALESCE(written.held, 0) <> COALESCE(reserved.held, 0)
ORDER BY 1 LIMIT 1
"""
_ENDED: Final = """
SELECT id, status, credit_account_id FROM messaging_message
WHERE credit_state = 'held' AND status <> ALL(%s) ORDER BY id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where the books do not agree."""

    account_id: int
    text: str


def credits_verify() -> Difference | None:
    """Check all accounts of the current schema; the first difference, None when everything agrees."""
    with connection.cursor() as cursor:
        cursor.execute(_PROVE)
        row = cursor.fetchone()
        if row is not None:
            return _difference(*row)
        cursor.execute(_ENDED, [list(OPEN_STATUSES)])
        row = cursor.fetchone()
    if row is None:
        return None
    message, status, account_id = row
    return Difference(account_id, f"message {message} is {status}, but its credits are still reserved")


def proof_next(now: datetime, *, seed: int) -> datetime:
    """The next night's time; `seed` spreads organisations over the hour."""
    at = now.replace(hour=_HOUR, minute=seed % 60, second=0, microsecond=0)
    return at if at > now else at + timedelta(days=1)


@agenda_handler(KIND)
def _verify_when_due(schema: str, key: str) -> datetime:
    """A difference is an error of the agenda's item, where super-admins see it, and comes again until it is gone."""
    found = credits_verify()
    if found is not None:
        raise RuntimeError(f"credits of {schema}, account {found.account_id}: {found.text}")
    return proof_next(timezone.now(), seed=sum(schema.encode()))


def _difference(
    account_id: int, balance: Decimal | None, amount: Decimal, held: Decimal, reserved: Decimal
) -> Difference:
    if balance is None:
        return Difference(account_id, "there is no such account, but messages are reserved on it")
    if balance != amount:
        text = f"the balance is {amount_text(balance)}, its ledger adds up to {amount_text(amount)}"
        return Difference(account_id, text)
    text = f"the ledger has {amount_text(held)} reserved, the open messages {amount_text(reserved)}"
    return Difference(account_id, text)
