"""Credits follow the messages: reserved with them, spent when they leave, given back when they do not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_tenants.utils import schema_context

from billing.models import LedgerEntry
from billing.services.credits import account_close, credits_add, credits_adjust
from billing.services.outcomes import messages_credit
from contacts.models import Suppression
from messaging.drivers.base import SendError, StatusUpdate
from messaging.inbound.statuses import statuses_apply
from messaging.models import Message
from messaging.services.messages import message_cancel, message_retry
from tenants.errors import LimitReached
from tenants.models import Membership, User


@pytest.fixture
def setting(committed: Any, charged: Any, make_channel: Any) -> Any:
    """(organisation, its account with 20 credits, a channel)."""
    organization, _ = committed
    return organization, charged(organization, 20), make_channel(organization)


def report(status: str, uuid: Any, provider_id: str = "a") -> StatusUpdate:
    error = SendError("131026", "No WhatsApp.") if status == "failed" else None
    return StatusUpdate(provider_id=provider_id, status=status, at=timezone.now(), uuid=str(uuid), error=error)


def states(organization: Any) -> list[tuple[str, str | None]]:
    with schema_context(organization.schema_name):
        return list(Message.objects.order_by("id").values_list("status", "credit_state"))


def kinds(organization: Any) -> list[tuple[str, Decimal, Decimal, int]]:
    with schema_context(organization.schema_name):
        return list(
            LedgerEntry.objects.exclude(kind="top_up").order_by("id").values_list("kind", "amount", "held", "messages")
        )


def test_accepting_reserves_and_names_what_is_missing(setting, send, books):
    organization, _, channel = setting
    assert len(send(organization, channel, 9).accepted) == 9
    assert books(organization) == (2, 18, None)
    with pytest.raises(LimitReached) as refusal:
        send(organization, channel, 2, first=50)
    assert refusal.value.code == "insufficient_credits"
    assert refusal.value.message == "Not enough credits: 4 are needed, 2 are available, 2 are missing."
    assert len(states(organization)) == 9
    assert books(organization) == (2, 18, None)


def test_too_few_credits_in_the_very_moment_of_the_insert_leave_nothing_behind(setting, send, books, monkeypatch):
    organization, _, channel = setting
    monkeypatch.setattr("messaging.services.charging.balance_of", lambda account_id: Decimal(1000))
    with pytest.raises(LimitReached, match="22 are needed, 20 are available"):
        send(organization, channel, 11)
    assert states(organization) == []
    assert kinds(organization) == []
    assert books(organization) == (20, 0, None)


def test_a_crash_after_the_reservation_leaves_nothing_behind(setting, send, books, monkeypatch):
    organization, _, channel = setting

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), schema_context(organization.schema_name), transaction.atomic():
        send(organization, channel, 3)
        crash()
    assert states(organization) == []
    assert books(organization) == (20, 0, None)


def test_suppressed_recipients_cost_nothing(setting, send, books):
    organization, _, channel = setting
    with schema_context(organization.schema_name):
        Suppression.objects.create(address="22997000002", reason="manual", scope="all")
    acceptance = send(organization, channel, 3)
    assert [rejection.code for rejection in acceptance.rejections] == ["suppressed"]
    assert books(organization) == (16, 4, None)


def test_a_destination_without_a_price_is_refused_and_the_rest_goes(setting, send, books, make_tariff):
    from billing.tariffs.models import Tariff

    organization, _, channel = setting
    Tariff.objects.all().delete()
    make_tariff(price=3, country="GA")
    acceptance = send(organization, channel, 1)
    assert [(rejection.code, rejection.fields) for rejection in acceptance.rejections] == [
        ("no_price", {"to": "has no price"})
    ]
    assert books(organization) == (20, 0, None)


def test_without_an_account_nothing_is_charged(committed, make_channel, send):
    organization, _ = committed
    assert len(send(organization, make_channel(organization), 2).accepted) == 2
    assert states(organization) == [("queued", None), ("queued", None)]
    assert kinds(organization) == []


@pytest.fixture
def statements(monkeypatch):
    """Every statement that goes to the database, whoever sends it."""
    seen: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(query.decode() if isinstance(query, bytes) else str(query))
        return execute(self, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return seen


def test_without_an_account_no_statement_knows_of_credits(committed, make_channel, send, statements):
    organization, _ = committed
    channel = make_channel(organization)
    send(organization, channel, 1)
    statements.clear()
    accepted = send(organization, channel, 3, first=10, membership_id=7).accepted
    writing = [text for text in statements if "messaging_message" in text and "INSERT INTO" in text]
    assert (len(accepted), len(writing)) == (3, 1)
    with schema_context(organization.schema_name):
        statuses_apply(channel_id=channel.pk, updates=[report("delivered", accepted[0].uuid)])
    assert [text for text in statements if "billing_" in text and "messaging_message" not in text] == []
    assert "credit" not in writing[0]


def test_a_closed_account_is_not_charged_any_more(setting, send, books):
    organization, account, channel = setting
    with schema_context(organization.schema_name):
        account_close(account_id=account.pk)
    send(organization, channel, 30)
    assert kinds(organization) == []


def test_a_member_with_credits_pays_from_them_and_others_from_the_organisation(setting, send, books):
    organization, _, channel = setting
    with schema_context(organization.schema_name):
        rich, poor = (
            Membership.objects.create(
                user=User.objects.create_user(f"{name}@example.com"), organization=organization, role="sender"
            )
            for name in ("ada", "grace")
        )
        credits_add(membership=rich, amount=5)
    try:
        send(organization, channel, 2, membership_id=rich.pk)
        send(organization, channel, 3, first=20, membership_id=poor.pk)
        assert books(organization, rich) == (1, 4, None)
        assert books(organization) == (9, 6, None)
        with pytest.raises(LimitReached, match="2 are needed, 1 are available"):
            send(organization, channel, 1, first=40, membership_id=rich.pk)
    finally:
        User.objects.filter(email__in=["ada@example.com", "grace@example.com"]).delete()


def test_sent_messages_are_spent_and_failed_ones_given_back(setting, send, books, engine, wait_until):
    organization, _, channel = setting
    send(organization, channel, 4, first=10)
    with schema_context(organization.schema_name):
        # Suppressed while it waits: it fails without a request.
        Suppression.objects.create(address="22997000012", reason="manual", scope="all")
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: not {status for status, _ in states(organization)} & {"queued", "processing", "scheduled"})
    with schema_context(organization.schema_name):
        found = {row[0][-3:]: row[1:] for row in Message.objects.values_list("address", "status", "credit_state")}
    assert found == {
        "010": ("sent", "settled"),
        "011": ("sent", "settled"),
        "012": ("failed", "released"),
        "013": ("sent", "settled"),
    }
    assert books(organization) == (20 - 3 * 2, 0, None)
    settled = [entry for entry in kinds(organization) if entry[0] == "settle"]
    assert sum(entry[3] for entry in settled) == 3
    assert all(entry[1] == 0 for entry in settled)


def test_a_report_of_delivery_spends_and_repeating_it_does_nothing(setting, send, books):
    organization, _, channel = setting
    send(organization, channel, 2)
    with schema_context(organization.schema_name):
        first, second = Message.objects.order_by("id")
        updates = [report("delivered", first.uuid), report("failed", second.uuid, "b")]
        for _ in range(3):
            statuses_apply(channel_id=channel.pk, updates=updates)
    assert states(organization) == [("delivered", "settled"), ("failed", "released")]
    assert kinds(organization)[1:] == [("release", 2, -2, 1), ("settle", 0, -2, 1)]
    assert books(organization) == (18, 0, None)


def test_a_failure_after_it_was_sent_gives_nothing_back(setting, send, books):
    organization, _, channel = setting
    send(organization, channel, 1)
    with schema_context(organization.schema_name):
        uuid = str(Message.objects.get().uuid)
        for status in ("sent", "failed"):
            statuses_apply(channel_id=channel.pk, updates=[report(status, uuid)])
    assert states(organization) == [("failed", "settled")]
    assert books(organization) == (18, 0, None)


def test_settling_twice_moves_once(setting, send, books):
    organization, _, channel = setting
    send(organization, channel, 2)
    with schema_context(organization.schema_name):
        ids = list(Message.objects.values_list("id", flat=True))
        Message.objects.update(status="sent")
        assert messages_credit(channel_id=channel.pk, settled=ids) == 2
        assert messages_credit(channel_id=channel.pk, settled=ids) == 0
        assert messages_credit(channel_id=channel.pk, released=ids) == 0
    assert books(organization) == (16, 0, None)


def test_cancelling_gives_back_and_trying_again_reserves_again(setting, send, books):
    organization, account, channel = setting
    send(organization, channel, 2)
    with schema_context(organization.schema_name):
        first, second = Message.objects.order_by("id")
        message_cancel(message_uuid=first.uuid)
    assert books(organization) == (18, 2, None)
    with schema_context(organization.schema_name):
        update = report("failed", second.uuid)
        statuses_apply(channel_id=channel.pk, updates=[update])
        message_retry(message_uuid=second.uuid)
    assert states(organization) == [("cancelled", "released"), ("queued", "held")]
    assert books(organization) == (18, 2, None)
    with schema_context(organization.schema_name):
        statuses_apply(channel_id=channel.pk, updates=[update])
        credits_adjust(account_id=account.pk, amount=-19, reason="Taken back")
        with pytest.raises(LimitReached):
            message_retry(message_uuid=second.uuid)
    assert states(organization)[1] == ("failed", "released")
    assert books(organization) == (1, 0, None)


def test_a_doubt_that_is_given_up_gives_back(setting, send, books, engine, wait_until):
    organization, _, channel = setting
    send(organization, channel, 1, origin="campaign")
    with schema_context(organization.schema_name), connection.cursor() as cursor:
        type(channel).objects.filter(pk=channel.pk).update(in_doubt_policy="fail")
        cursor.execute("UPDATE messaging_message SET status='in_doubt', fence=1, due_at=now() - interval '1 second'")
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: states(organization) == [("failed", "released")])
    assert books(organization) == (20, 0, None)


def test_the_proof_names_a_reservation_of_a_message_that_has_ended(setting, send, books):
    organization, account, channel = setting
    send(organization, channel, 1)
    with schema_context(organization.schema_name):
        Message.objects.update(status="sent")
        number = Message.objects.get().pk
    found = books(organization)[2]
    assert found.account_id == account.pk
    assert found.text == f"message {number} is sent, but its credits are still reserved"
    with schema_context(organization.schema_name):
        Message.objects.update(credit_state="settled")
    assert books(organization)[2].text == "the ledger has 2 reserved, the open messages 0"


def test_the_other_organisation_is_not_touched(setting, committed, charged, send, books):
    organization, _, channel = setting
    _, other = committed
    charged(other, 50)
    send(organization, channel, 5)
    assert books(other) == (50, 0, None)
    assert books(organization) == (10, 10, None)
