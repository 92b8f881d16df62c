"""Credits that people move: accounts opened and closed, top-ups, corrections, transfers to and from sub-accounts.

Every movement has a reference; the same reference moves nothing twice. All of it concerns the current schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import uuid4

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actor import actor_current
from audit.services.recording import audit_record
from billing.amounts import amount_read, amount_text, insufficient
from billing.models import CreditAccount, LedgerEntry
from billing.services.payers import payer_read, payers_forget
from billing.services.proof import KIND as PROOF
from billing.services.proof import proof_next
from tenants.agenda import agenda_put
from tenants.connection import connection as tenant_connection
from tenants.errors import Conflict, InvalidInput, NotFound
from tenants.models import Membership

Kind = LedgerEntry.Kind
_ZERO: Final = Decimal(0)
_REFERENCE_LENGTH: Final = 90
_MEMBERS_LOCKED: Final = """
SELECT id FROM public.tenants_membership
WHERE id IN (SELECT membership_id FROM billing_creditaccount WHERE balance > 0)
ORDER BY id FOR UPDATE
"""
_ALLOWANCES_END: Final = """
WITH locked AS (
    SELECT id, membership_id, balance FROM billing_creditaccount WHERE membership_id IS NOT NULL AND balance > 0
    ORDER BY id FOR NO KEY UPDATE),
allowed AS (
    SELECT locked.id, locked.membership_id, LEAST(locked.balance, (
               SELECT sum(amount) FROM billing_ledgerentry entry
               WHERE entry.account_id = locked.id AND entry.kind IN ('top_up', 'adjust'))) AS amount
    FROM locked),
struck AS (
    UPDATE billing_creditaccount account SET balance = account.balance - allowed.amount
    FROM allowed WHERE account.id = allowed.id AND allowed.amount > 0
    RETURNING account.id, allowed.membership_id, allowed.amount),
limited AS (
    UPDATE public.tenants_membership member SET credit_limit = GREATEST(0, member.credit_limit - struck.amount)
    FROM struck WHERE member.id = struck.membership_id)
INSERT INTO billing_ledgerentry (account_id, kind, amount, reason, by)
SELECT id, 'adjust', -amount, %s, %s FROM struck ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """`available` can be spent, `held` is reserved for messages that are still open."""

    account_id: int
    available: Decimal
    held: Decimal


def credits_balance(*, membership: Membership | None = None) -> Balance | None:
    """The balance from which `membership` pays (None: the organisation's own); None when nothing is charged."""
    account_id = payer_read(membership_id=membership.pk if membership else None)
    if account_id is None:
        return None
    account = CreditAccount.objects.get(pk=account_id)
    return Balance(account.pk, account.balance, held_of(account_ids=[account.pk]).get(account.pk, _ZERO))


def credits_balances(*, membership_ids: Sequence[int]) -> dict[int, Balance]:
    """Membership -> its own account's balance, for those who have one; two statements, however many they are."""
    accounts = CreditAccount.objects.filter(membership_id__in=membership_ids)
    held = held_of(account_ids=[account.pk for account in accounts])
    return {
        account.membership_id: Balance(account.pk, account.balance, held.get(account.pk, _ZERO))
        for account in accounts
        if account.membership_id is not None
    }


def held_of(*, account_ids: Sequence[int]) -> dict[int, Decimal]:
    """Account -> what is reserved for its open messages, read from an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credit_account_id, sum(price) FROM messaging_message"
            " WHERE credit_state = 'held' AND credit_account_id = ANY(%s) GROUP BY 1",
            [list(account_ids)],
        )
        return dict(cursor.fetchall())


def account_open(*, membership: Membership | None = None) -> CreditAccount:
    """The account of the organisation, or of a member, switched on: from now on its messages are charged.

    Allowances that members were given while the organisation was not charged end with that: nobody has paid for them.
    """
    label = membership.user.email if membership else ""
    with transaction.atomic():
        account, is_new = CreditAccount.objects.get_or_create(
            membership_id=membership.pk if membership else None, defaults={"label": label}
        )
        switched = CreditAccount.objects.filter(pk=account.pk, is_active=False).update(is_active=True)
        if is_new or switched:
            if membership is None:
                _allowances_end()
            audit_record(action="credits.switched_on", subject=account)
            now = timezone.now()
            schema = tenant_connection.schema_name
            agenda_put(schema=schema, kind=PROOF, key="", due_at=proof_next(now, seed=sum(schema.encode())))
            transaction.on_commit(payers_forget)
    account.refresh_from_db()
    return account


def account_close(*, account_id: int) -> None:
    """Charge nothing to this account any more; what it has or has reserved stays. Raises `NotFound`, `Conflict`."""
    with transaction.atomic():
        account = _locked(account_id)
        if not CreditAccount.objects.filter(pk=account_id, is_active=True).update(is_active=False):
            raise Conflict("account_closed", _("This account is switched off already."))
        audit_record(action="credits.switched_off", subject=account)
        transaction.on_commit(payers_forget)


def credits_top_up(*, account_id: int, amount: object, reason: str, reference: str = "") -> LedgerEntry:
    """Put credits on an account. The same `reference` again changes nothing and answers the first entry.

    Raises `InvalidInput` invalid_amount, reason_required; `Conflict` reference_taken; `NotFound`.
    """
    return _change(account_id, Kind.TOP_UP, amount_read(amount), _said(reason), reference)


def credits_adjust(*, account_id: int, amount: object, reason: str, reference: str = "") -> LedgerEntry:
    """Correct an account by a positive or negative amount; as `credits_top_up`, and `LimitReached`
    insufficient_credits when the account does not have what is to be taken.
    """
    return _change(account_id, Kind.ADJUST, amount_read(amount, negative=True), _said(reason), reference)


def credits_transfer(
    *, from_id: int, to_id: int, amount: object, reason: str = "", reference: str = ""
) -> tuple[LedgerEntry, LedgerEntry]:
    """Move credits between two accounts; both entries carry the reference. Raises as `credits_adjust`."""
    if from_id == to_id:
        raise InvalidInput("same_account", _("Choose two different accounts."), {"account": _("is the same")})
    moved, reference = amount_read(amount), _reference(reference)
    with transaction.atomic():
        accounts = {account.pk: account for account in _lock_all(from_id, to_id)}
        if missing := {from_id, to_id} - set(accounts):
            raise NotFound("account_not_found", _("There is no account %(missing)s.") % {"missing": missing.pop()})
        taken, _is_new = _entry(accounts[from_id], Kind.TRANSFER, -moved, reason, f"{reference}:from")
        given, is_new = _entry(accounts[to_id], Kind.TRANSFER, moved, reason, f"{reference}:to")
        if is_new:
            audit_record(
                action="credits.transferred",
                subject=accounts[to_id],
                new={"amount": amount_text(moved), "from": str(accounts[from_id]), "reason": reason},
            )
    return taken, given


def credits_add(*, membership: Membership, amount: object, reason: str = "", reference: str = "") -> Balance:
    """Give a sub-account credits, from the organisation's account when that is charged, and raise its limit by them.

    The member then pays from an account of their own. Raises as `credits_transfer`.
    """
    given, reference = amount_read(amount), _reference(reference)
    with transaction.atomic():
        # Members are locked before accounts, everywhere.
        current = _member(membership)
        account = account_open(membership=current)
        source = CreditAccount.objects.filter(membership_id=None, is_active=True).first()
        before = LedgerEntry.objects.filter(reference__in=[reference, f"{reference}:to"]).exists()
        if source is not None:
            credits_transfer(from_id=source.pk, to_id=account.pk, amount=given, reason=reason, reference=reference)
        else:
            credits_top_up(account_id=account.pk, amount=given, reason=reason or "Credits given", reference=reference)
        if not before:
            Membership.objects.filter(pk=current.pk).update(credit_limit=(current.credit_limit or _ZERO) + given)
    found = credits_balance(membership=membership)
    if found is None:
        raise NotFound("account_not_found", _("This account was switched off at this very moment."))
    return found


def credits_limit_set(*, membership: Membership, limit: object | None) -> None:
    """Let a sub-account use `limit` credits in all, what it has used included; None: no limit, the organisation pays.

    The difference to the present limit moves between the organisation's account and the sub-account's, so a limit can
    never be overspent. Raises as `credits_transfer`.
    """
    with transaction.atomic():
        current = _member(membership)
        before = current.credit_limit or _ZERO
        if limit is None:
            account = CreditAccount.objects.filter(membership_id=membership.pk, is_active=True).first()
            if account is not None:
                _take_back(account, account.balance)
                account_close(account_id=account.pk)
            Membership.objects.filter(pk=membership.pk).update(credit_limit=None)
            return
        after = _ZERO if limit in (0, "0") else amount_read(limit, field="limit")
        account = account_open(membership=current)
        if after > before:
            credits_add(membership=current, amount=after - before, reason="Limit raised")
        elif after < before:
            _take_back(account, before - after)
        Membership.objects.filter(pk=membership.pk).update(credit_limit=after)


def _take_back(account: CreditAccount, amount: Decimal) -> None:
    """Return credits of a sub-account to the organisation's account, or strike them when it has none."""
    if not amount:
        return
    target = CreditAccount.objects.filter(membership_id=None).first()
    if target is None:
        credits_adjust(account_id=account.pk, amount=-amount, reason="Limit lowered")
    else:
        credits_transfer(from_id=account.pk, to_id=target.pk, amount=amount, reason="Limit lowered")


def _allowances_end() -> None:
    """Strike what members have left of allowances: at most what did not come from the organisation's account."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS_LOCKED)
        cursor.execute(
            _ALLOWANCES_END, ["Allowance from before the organisation was charged", actor_current().label[:200]]
        )


def _member(membership: Membership) -> Membership:
    """The member as they are now, locked. Raises `NotFound` when they are gone."""
    rows = Membership.objects.select_for_update(of=("self",)).select_related("user")
    current = rows.filter(pk=membership.pk).first()
    if current is None:
        raise NotFound("sub_account_not_found", _("There is no such member."))
    return current


def _change(account_id: int, kind: Kind, amount: Decimal, reason: str, reference: str) -> LedgerEntry:
    with transaction.atomic():
        account = _locked(account_id)
        entry, is_new = _entry(account, kind, amount, reason, _reference(reference))
        if is_new:
            audit_record(
                action="credits.topped_up" if kind == Kind.TOP_UP else "credits.corrected",
                subject=account,
                old={"balance": amount_text(account.balance)},
                new={
                    "balance": amount_text(account.balance + amount),
                    "amount": amount_text(amount),
                    "reason": reason,
                },
            )
    return entry


def _entry(
    account: CreditAccount, kind: Kind, amount: Decimal, reason: str, reference: str
) -> tuple[LedgerEntry, bool]:
    """Write the entry and change the locked account's balance, once for a reference; and whether this was the time."""
    found = LedgerEntry.objects.filter(reference=reference).first()
    if found is not None:
        if (found.account_id, found.kind, found.amount) != (account.pk, kind, amount):
            raise _taken()
        return found, False
    if not CreditAccount.objects.filter(pk=account.pk, balance__gte=-amount).update(balance=F("balance") + amount):
        raise insufficient(needed=-amount, available=account.balance)
    try:
        with transaction.atomic():
            entry = LedgerEntry.objects.create(
                account=account, kind=kind, amount=amount, reference=reference, reason=reason,
                by=actor_current().label[:200],
            )  # fmt: skip
    except IntegrityError as error:
        # Taken for another account at this very moment; for the same one its lock has kept us waiting.
        raise _taken() from error
    return entry, True


def _taken() -> Conflict:
    return Conflict("reference_taken", _("This reference stands for another movement."), {"reference": _("is taken")})


def _reference(given: str) -> str:
    """A reference of the caller's, or a new one."""
    if len(given) > _REFERENCE_LENGTH or "\x00" in given:
        text = _("must have at most %(most)s characters") % {"most": _REFERENCE_LENGTH}
        raise InvalidInput("invalid_reference", _("The reference %(text)s.") % {"text": text}, {"reference": text})
    return given or uuid4().hex


def _said(reason: str) -> str:
    text = reason.replace("\x00", "").strip()[:200]
    if not text:
        raise InvalidInput("reason_required", _("Say why: it is kept in the ledger."), {"reason": _("required")})
    return text


def _locked(account_id: int) -> CreditAccount:
    for account in _lock_all(account_id):
        return account
    raise NotFound("account_not_found", _("There is no such account."))


def _lock_all(*account_ids: int) -> list[CreditAccount]:
    """In the order of the ids, as the engine locks them."""
    rows = CreditAccount.objects.filter(pk__in=account_ids).order_by("pk").select_for_update(no_key=True)
    return list(rows)
