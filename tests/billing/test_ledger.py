"""The ledger: nothing twice, never below zero, always equal to the balance, whatever happens at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django_tenants.utils import schema_context

from billing.models import CreditAccount, LedgerEntry
from billing.services.credits import (
    account_close,
    account_open,
    credits_add,
    credits_adjust,
    credits_balance,
    credits_balances,
    credits_limit_set,
    credits_top_up,
    credits_transfer,
)
from billing.services.proof import credits_verify
from messaging.services.messages import message_cancel
from tenants.errors import Conflict, InvalidInput, LimitReached, NotFound
from tenants.models import AgendaItem, Membership, User


@pytest.fixture
def account(in_schema: Any) -> CreditAccount:
    return account_open()


@pytest.fixture
def member(in_schema: Any) -> Membership:
    user = User.objects.create_user("ada@example.com")
    return Membership.objects.create(user=user, organization=in_schema, role="sender")


def balance(account: CreditAccount) -> Decimal:
    return CreditAccount.objects.get(pk=account.pk).balance


def test_a_top_up_is_written_once_for_its_reference(account):
    first = credits_top_up(account_id=account.pk, amount="12.5", reason="Invoice 7", reference="inv-7")
    again = credits_top_up(account_id=account.pk, amount="12.5", reason="Invoice 7", reference="inv-7")
    assert again.pk == first.pk
    assert balance(account) == Decimal("12.5")
    assert list(account.entries.values_list("kind", "amount", "reason")) == [("top_up", Decimal("12.5"), "Invoice 7")]


def test_a_reference_of_another_movement_is_refused(account):
    credits_top_up(account_id=account.pk, amount=5, reason="Invoice", reference="one")
    with pytest.raises(Conflict) as refusal:
        credits_top_up(account_id=account.pk, amount=6, reason="Invoice", reference="one")
    assert refusal.value.code == "reference_taken"
    assert balance(account) == 5


@pytest.mark.parametrize("amount", ["", "abc", 0, -1, "NaN", "Infinity", "1.00001", True, None, "1e12", [1]])
def test_bad_amounts_are_refused_by_name_and_write_nothing(account, amount):
    with pytest.raises(InvalidInput) as refusal:
        credits_top_up(account_id=account.pk, amount=amount, reason="Invoice")
    assert refusal.value.code == "invalid_amount"
    assert list(refusal.value.fields) == ["amount"]
    assert not LedgerEntry.objects.exists()


def test_a_reason_is_required_and_an_account_too(account):
    with pytest.raises(InvalidInput, match="Say why"):
        credits_top_up(account_id=account.pk, amount=1, reason=" \x00 ")
    with pytest.raises(NotFound):
        credits_top_up(account_id=account.pk + 1000, amount=1, reason="Invoice")


def test_a_correction_may_take_what_is_there_and_not_more(account):
    credits_top_up(account_id=account.pk, amount=10, reason="Invoice")
    credits_adjust(account_id=account.pk, amount=-4, reason="Entered twice")
    with pytest.raises(LimitReached) as refusal:
        credits_adjust(account_id=account.pk, amount="-6.5", reason="Entered twice")
    assert refusal.value.code == "insufficient_credits"
    assert "6.5 are needed, 6 are available" in refusal.value.message
    assert balance(account) == 6
    assert credits_verify() is None


@pytest.mark.parametrize("statement", ["UPDATE billing_ledgerentry SET amount = 9", "DELETE FROM billing_ledgerentry"])
def test_nobody_changes_or_deletes_an_entry(account, statement):
    credits_top_up(account_id=account.pk, amount=1, reason="Invoice")
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        connection.cursor().execute(statement)
    assert LedgerEntry.objects.get().amount == 1


def test_the_database_itself_refuses_a_balance_below_zero(account):
    with pytest.raises(DatabaseError, match="credits_never_below_zero"), transaction.atomic():
        CreditAccount.objects.filter(pk=account.pk).update(balance=-1)


def test_the_proof_names_what_does_not_agree(account):
    credits_top_up(account_id=account.pk, amount=10, reason="Invoice")
    CreditAccount.objects.filter(pk=account.pk).update(balance=11)
    found = credits_verify()
    assert found is not None
    assert (found.account_id, found.text) == (account.pk, "the balance is 11, its ledger adds up to 10")


def test_the_proof_is_on_the_agenda_from_the_first_account_on(account, in_schema):
    from tenants.agenda import _handlers

    assert AgendaItem.objects.filter(schema=in_schema.schema_name, kind="credits_proof").count() == 1
    assert _handlers["credits_proof"](in_schema.schema_name, "") is not None
    CreditAccount.objects.filter(pk=account.pk).update(balance=1)
    with pytest.raises(RuntimeError, match="the balance is 1, its ledger adds up to 0"):
        _handlers["credits_proof"](in_schema.schema_name, "")


def test_credits_of_a_sub_account_come_from_the_organisation(account, member):
    credits_top_up(account_id=account.pk, amount=100, reason="Invoice")
    given = credits_add(membership=member, amount=30, reference="first")
    assert credits_add(membership=member, amount=30, reference="first") == given
    assert given.available == 30
    assert balance(account) == 70
    member.refresh_from_db()
    assert member.credit_limit == 30
    with pytest.raises(LimitReached):
        credits_add(membership=member, amount=71)
    member.refresh_from_db()
    assert member.credit_limit == 30
    assert credits_balances(membership_ids=[member.pk, 0])[member.pk].available == 30
    assert credits_verify() is None


def test_a_sub_account_of_an_organisation_that_is_not_charged_gets_an_allowance(member):
    assert credits_balance(membership=member) is None
    assert credits_add(membership=member, amount=500).available == 500
    assert credits_balance() is None


def test_an_allowance_ends_when_the_organisation_is_charged_and_paid_credits_stay(member):
    credits_add(membership=member, amount=500)
    own = account_open()
    assert credits_balance(membership=member).available == 0
    credits_top_up(account_id=own.pk, amount=100, reason="Invoice")
    credits_add(membership=member, amount=30)
    account_close(account_id=own.pk)
    credits_add(membership=member, amount=70)
    account_open()
    assert credits_balance(membership=member).available == 30
    member.refresh_from_db()
    assert member.credit_limit == 30
    assert balance(own) == 70
    assert credits_verify() is None


def test_a_member_who_is_gone_gets_nothing(account, member):
    gone = Membership(pk=member.pk, user=member.user, organization=member.organization)
    member.delete()
    with pytest.raises(NotFound):
        credits_add(membership=gone, amount=1)


def test_a_limit_moves_credits_both_ways_and_no_limit_returns_them(account, member):
    credits_top_up(account_id=account.pk, amount=100, reason="Invoice")
    credits_limit_set(membership=member, limit=40)
    credits_limit_set(membership=member, limit=25)
    assert (balance(account), credits_balance(membership=member).available) == (75, 25)
    credits_adjust(account_id=credits_balance(membership=member).account_id, amount=-20, reason="Used up")
    with pytest.raises(LimitReached):
        credits_limit_set(membership=member, limit=10)
    member.refresh_from_db()
    assert member.credit_limit == 25
    credits_limit_set(membership=member, limit=None)
    member.refresh_from_db()
    assert member.credit_limit is None
    assert balance(account) == 80
    assert credits_balance(membership=member).account_id == account.pk
    assert credits_verify() is None


def test_a_transfer_needs_two_accounts(account, member):
    other = account_open(membership=member)
    credits_top_up(account_id=account.pk, amount=10, reason="Invoice")
    with pytest.raises(InvalidInput):
        credits_transfer(from_id=account.pk, to_id=account.pk, amount=1)
    with pytest.raises(NotFound):
        credits_transfer(from_id=account.pk, to_id=other.pk + 1000, amount=1)
    credits_transfer(from_id=account.pk, to_id=other.pk, amount=4)
    assert (balance(account), balance(other)) == (6, 4)


def test_a_closed_account_charges_nothing_and_is_not_closed_twice(account):
    account_close(account_id=account.pk)
    assert credits_balance() is None
    with pytest.raises(Conflict):
        account_close(account_id=account.pk)
    assert account_open().pk == account.pk
    assert credits_balance() is not None


def test_fifty_at_once_never_go_below_zero_and_lose_nothing(charged, committed, books, send, make_channel):
    organization, other = committed
    account, others = charged(organization, 60), charged(other, 7)
    channel = make_channel(organization)
    random_source = random.Random(5)
    refused: list[int] = []

    def act(number: int) -> int:
        choice = number % 5
        try:
            if choice < 3:
                count = random_source.randint(1, 6)
                accepted = send(organization, channel, count, first=1 + number * 10).accepted
                with schema_context(organization.schema_name):
                    for message in accepted[:choice]:
                        message_cancel(message_uuid=message.uuid)
                return len(accepted[choice:])
            with schema_context(organization.schema_name):
                if choice == 3:
                    credits_top_up(account_id=account.pk, amount=3, reason="Invoice", reference=f"top-{number // 10}")
                else:
                    credits_adjust(account_id=account.pk, amount="-2.5", reason="Correction")
            return 0
        except LimitReached:
            refused.append(number)
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        accepted = sum(pool.map(act, range(150)))
    available, held, difference = books(organization)
    assert difference is None
    assert available >= 0
    with schema_context(organization.schema_name):
        entries = LedgerEntry.objects.filter(account=account)
        topped_up = sum(entries.filter(kind="top_up").values_list("amount", flat=True))
        corrected = sum(entries.filter(kind="adjust").values_list("amount", flat=True))
        assert entries.filter(kind="top_up").count() == 1 + 15
    assert held == accepted * 2
    assert available == topped_up + corrected - held
    # There was less than all of them wanted.
    assert refused
    assert books(other) == (7, 0, None)
    assert others.entries.model is LedgerEntry


def test_one_reference_in_many_threads_moves_once(charged, committed, books):
    organization, _ = committed
    account = charged(organization, 0)

    def top_up(_: int) -> int:
        try:
            with schema_context(organization.schema_name):
                return credits_top_up(account_id=account.pk, amount=5, reason="Invoice", reference="same").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(top_up, range(40)))) == 1
    assert books(organization) == (5, 0, None)
