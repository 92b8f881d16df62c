"""Campaigns that are paid for: reserved piece by piece, stopped without credits, given back when cancelled."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from billing.models import CreditAccount, LedgerEntry
from billing.services.credits import account_open, credits_add, credits_adjust, credits_balance, credits_top_up
from billing.services.proof import credits_verify
from campaigns.models import Campaign, Run, SkippedRecipient
from campaigns.services.control import campaign_cancel, campaign_launch, campaign_resume, campaign_retry_failed
from campaigns.services.plan import campaign_plan
from messaging.models import Message
from messaging.sms_text import BASIC, EXTENSION, text_cost
from tenants.errors import LimitReached
from tenants.models import Membership, User


@pytest.fixture
def account(in_schema: Any) -> Any:
    return account_open()


def give(account: Any, credits: Any) -> None:
    credits_top_up(account_id=account.pk, amount=credits, reason="Test")


def books() -> tuple[Decimal, Decimal, Any]:
    balance = credits_balance()
    return balance.available, balance.held, credits_verify()


def states() -> dict[tuple[str, str | None], int]:
    found: dict[tuple[str, str | None], int] = {}
    for row in Message.objects.values_list("status", "credit_state"):
        found[row] = found.get(row, 0) + 1
    return found


def test_the_database_counts_segments_as_the_platform_does(in_schema):
    source = random.Random(7)
    alphabets = (BASIC, BASIC + EXTENSION * 9, EXTENSION, "абв", "a😀", "😀" * 3 + "é", "aç'`")
    texts = [
        "",
        "a" * 160,
        "a" * 161,
        "€" * 80,
        "€" * 81,
        "a" * 152 + "€" * 9,
        "é" * 306,
        "ж" * 70,
        "ж" * 71,
        "😀" * 36,
    ]
    texts += ["".join(source.choices(source.choice(alphabets), k=source.randint(1, 700))) for _ in range(400)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(public.billing_segments(t) ORDER BY n) FROM unnest(%s::text[]) WITH ORDINALITY x(t, n)",
            [texts],
        )
        counted = cursor.fetchone()[0]
    assert counted == [text_cost(text).segments for text in texts]


def test_each_text_is_reserved_at_its_own_length(account, make_tariff, make_contacts, make_campaign, work):
    make_tariff(price="1.5", unit="segment")
    give(account, 100)
    make_contacts(2)
    make_contacts(1, start=10, name="é" * 150)
    campaign = make_campaign(content={"type": "text", "text": {"body": "Welcome to us, dear {nom} []"}})
    plan = campaign_plan(campaign_id=campaign.pk)
    assert (plan.cost.total, plan.available, plan.credits_suffice) == (Decimal(6), 100, True)
    assert [(part.messages, part.segments, part.unit_price) for part in plan.cost.parts] == [(3, 4, Decimal("1.5"))]
    campaign_launch(campaign_id=campaign.pk)
    work()
    prices = sorted(Message.objects.values_list("price", flat=True))
    assert prices == [Decimal("1.5"), Decimal("1.5"), Decimal(3)]
    assert books() == (94, 6, None)
    run = Run.objects.get()
    hold = LedgerEntry.objects.get(kind="hold")
    assert (hold.campaign_run_id, hold.messages, hold.amount, hold.held) == (run.pk, 3, -6, 6)


def test_a_cancelled_campaign_gives_everything_back(account, make_tariff, make_contacts, make_campaign, work):
    make_tariff(price=2)
    give(account, 100)
    make_contacts(5)
    campaign = make_campaign()
    campaign_launch(campaign_id=campaign.pk)
    work()
    assert books() == (90, 10, None)
    campaign_cancel(campaign_id=campaign.pk)
    work()
    assert states() == {("cancelled", "released"): 5}
    assert books() == (100, 0, None)


def test_a_campaign_that_costs_more_than_there_is_is_not_launched(
    account, make_tariff, make_contacts, make_campaign, work
):
    make_tariff(price=2)
    give(account, 49)
    make_contacts(25)
    campaign = make_campaign()
    with pytest.raises(LimitReached) as caught:
        campaign_launch(campaign_id=campaign.pk)
    text = "Not enough credits: 50 are needed, 49 are available, 1 are missing."
    assert (caught.value.code, caught.value.fields) == ("insufficient_credits", {"credits": text})
    campaign.refresh_from_db()
    assert (campaign.status, Run.objects.count(), Message.objects.count()) == ("draft", 0, 0)
    assert books() == (49, 0, None)
    give(account, 1)
    campaign_launch(campaign_id=campaign.pk)
    work()
    assert (Message.objects.count(), books()) == (25, (0, 50, None))


def test_a_launch_looks_at_the_account_of_who_made_the_campaign(
    account, in_schema, make_tariff, make_contacts, make_campaign, work
):
    user = User.objects.create_user("maker@people.test", None)
    member = Membership.objects.create(user=user, organization=in_schema, role="manager")
    make_tariff(price=2)
    give(account, 1000)
    credits_add(membership=member, amount=4)
    make_contacts(3)
    campaign = make_campaign(created_by_id=user.pk)
    with pytest.raises(LimitReached, match="6 are needed, 4 are available, 2 are missing"):
        campaign_launch(campaign_id=campaign.pk)
    credits_add(membership=member, amount=2)
    campaign_launch(campaign_id=campaign.pk)
    work()
    own = CreditAccount.objects.get(membership_id=member.pk)
    assert (own.balance, credits_balance().available) == (0, 994)
    assert set(Message.objects.values_list("membership_id", "credit_account_id")) == {(member.pk, own.pk)}


def test_without_credits_it_pauses_and_goes_on_after_a_top_up(
    account, make_tariff, make_contacts, make_campaign, work, settings
):
    settings.CAMPAIGN_CREDITS_REQUIRED = False
    make_tariff(price=2)
    give(account, 7)
    make_contacts(25)
    campaign = make_campaign()
    plan = campaign_plan(campaign_id=campaign.pk)
    assert (plan.cost.total, plan.available, plan.credits_suffice) == (50, 7, False)
    campaign_launch(campaign_id=campaign.pk)
    work()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.status_reason) == (
        Campaign.Status.PAUSED,
        "Not enough credits for the next recipients.",
    )
    assert books() == (1, 6, None)
    give(account, 60)
    campaign_resume(campaign_id=campaign.pk)
    work()
    assert Message.objects.values("address").distinct().count() == Message.objects.count() == 25
    assert books() == (17, 50, None)


def test_recipients_without_a_price_are_skipped_by_name(account, make_tariff, make_contacts, make_campaign, work):
    make_tariff(price=2, country="BJ")
    give(account, 100)
    make_contacts(2)
    from contacts.services.identities import contacts_save

    contacts_save(phones=["24107123456", "24106123456"])
    plan = campaign_plan(campaign_id=make_campaign().pk)
    assert (plan.recipients, plan.skipped, plan.cost.unpriced, plan.cost.total) == (2, {"no_price": 2}, 2, 4)
    campaign_launch(campaign_id=Campaign.objects.get().pk)
    work()
    assert Message.objects.count() == 2
    assert sorted(SkippedRecipient.objects.values_list("address", "reason")) == [
        ("24106123456", "no_price"),
        ("24107123456", "no_price"),
    ]


def test_trying_failed_ones_again_reserves_again_or_says_why_not(
    account, make_tariff, make_contacts, make_campaign, work
):
    make_tariff(price=2)
    give(account, 10)
    make_contacts(3)
    campaign = make_campaign()
    campaign_launch(campaign_id=campaign.pk)
    work()
    _fail_all()
    assert books() == (10, 0, None)
    campaign_retry_failed(campaign_id=campaign.pk)
    work()
    assert states() == {("queued", "held"): 3}
    assert books() == (4, 6, None)
    _fail_all()
    campaign_retry_failed(campaign_id=campaign.pk)
    credits_adjust(account_id=account.pk, amount=-5, reason="Taken back in this very moment")
    work()
    assert states() == {("failed", "released"): 3}
    assert books() == (5, 0, None)
    with pytest.raises(LimitReached, match="6 are needed, 5 are available"):
        campaign_retry_failed(campaign_id=campaign.pk)
    assert Run.objects.get().job == ""


def test_odd_values_are_reserved_too(account, make_tariff, make_contacts, make_campaign, work):
    make_tariff(price=1, unit="segment")
    give(account, 100)
    make_contacts(1, name="x" * 160)
    make_contacts(1, start=5, custom={"note": "y" * 1500})
    campaign = make_campaign(content={"type": "text", "text": {"body": "{nom} {custom.note|-}"}})
    campaign_launch(campaign_id=campaign.pk)
    work()
    texts = Message.objects.values_list("content__text__body", "price")
    assert len(texts) == 2
    assert all(price == text_cost(body).segments for body, price in texts)
    assert books()[2] is None


def test_a_campaign_without_accounts_is_planned_without_a_cost(in_schema, make_contacts, make_campaign, work):
    make_contacts(2)
    campaign = make_campaign()
    plan = campaign_plan(campaign_id=campaign.pk)
    assert (plan.cost, plan.credits_suffice, plan.recipients) == (None, True, 2)


def _fail_all() -> None:
    from django.utils import timezone

    from messaging.drivers.base import SendError, StatusUpdate
    from messaging.inbound.statuses import statuses_apply

    error = SendError("131026", "No WhatsApp.")
    for channel_id, uuid in Message.objects.values_list("channel_id", "uuid"):
        update = StatusUpdate(str(uuid), "failed", timezone.now(), str(uuid), error)
        statuses_apply(channel_id=channel_id, updates=[update])
    Message.objects.update(failed_at=timezone.now() - timedelta(minutes=1))
