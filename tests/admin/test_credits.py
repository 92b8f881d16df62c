"""Credits in both admins: super-admins charge and top up, organisations give to members and see every movement."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django_tenants.utils import tenant_context

from audit.models import AuditEntry
from billing.models import CreditAccount, LedgerEntry
from billing.pricing import prices_forget
from billing.services.credits import account_open, credits_balance, credits_top_up
from billing.services.payers import payers_forget
from billing.services.proof import credits_verify
from billing.tariffs.models import Tariff
from tenants.models import Membership

PUBLIC = "/admin/tariffs/organizationcredits"


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    payers_forget()
    prices_forget()
    yield
    payers_forget()
    prices_forget()


def balance(organization: Any, membership: Any = None) -> Decimal | None:
    with tenant_context(organization):
        found = credits_balance(membership=membership)
        return None if found is None else found.available


def test_a_super_admin_charges_tops_up_corrects_and_stops(super_browser, organization, other_organization):
    page = f"{PUBLIC}/{organization.pk}"
    assert super_browser.get(f"{page}/top-up/").status_code == 403
    assert super_browser.post(f"{page}/switch-on/").status_code == 302
    given = {"amount": "250.5", "reason": "Invoice 7", "reference": "form-1"}
    # The same form twice: once.
    assert [super_browser.post(f"{page}/top-up/", given).status_code for _ in range(2)] == [302, 302]
    assert balance(organization) == Decimal("250.5")
    refused = super_browser.post(f"{page}/correct/", {"amount": "-251", "reason": "Mistake", "reference": "form-2"})
    assert "251 are needed, 250.5 are available" in refused.content.decode()
    assert super_browser.post(f"{page}/correct/", {"amount": "-0.5", "reason": "Mistake"}).status_code == 302
    assert balance(organization) == 250
    assert balance(other_organization) is None
    listed = super_browser.get(f"{PUBLIC}/").content.decode()
    assert "250" in listed
    assert organization.name in listed
    assert super_browser.post(f"{page}/switch-off/").status_code == 302
    assert balance(organization) is None
    with tenant_context(organization):
        actions = list(AuditEntry.objects.order_by("id").values_list("action", "actor_label"))
        assert [action for action, _ in actions] == [
            "credits.switched_on",
            "credits.topped_up",
            "credits.corrected",
            "credits.switched_off",
        ]
        assert {by for _, by in actions} == {"super@griot.example"}
        assert set(LedgerEntry.objects.values_list("by", flat=True)) == {"super@griot.example"}
        assert credits_verify() is None


@pytest.mark.parametrize(("field", "value"), [("amount", "0"), ("amount", "x"), ("amount", "-3"), ("reason", "")])
def test_a_top_up_that_means_nothing_is_refused_at_its_field(super_browser, organization, field, value):
    super_browser.post(f"{PUBLIC}/{organization.pk}/switch-on/")
    answer = super_browser.post(
        f"{PUBLIC}/{organization.pk}/top-up/", {"amount": "5", "reason": "Invoice", "reference": "", field: value}
    )
    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    assert balance(organization) == 0


def test_a_tariff_is_checked_and_recorded(super_browser, organization):
    add = "/admin/tariffs/tariff/add/"
    given = {"country": "ga", "operator": "Airtel", "price": "12.5", "unit": "segment"}
    for field, value in (("country", "XX"), ("channel_kind", "pigeon"), ("price", "-1"), ("channel_id", "4")):
        answer = super_browser.post(add, given | {field: value})
        assert answer.status_code == 200, field
    assert super_browser.post(add, {"operator": "airtel", "price": "1", "unit": "message"}).status_code == 200
    assert not Tariff.objects.exists()
    assert super_browser.post(add, given).status_code == 302
    tariff = Tariff.objects.get()
    assert (tariff.country, tariff.operator, tariff.price) == ("GA", "airtel", Decimal("12.5"))
    assert AuditEntry.objects.filter(action="tariff.created").count() == 1
    assert super_browser.get(f"/admin/tariffs/tariff/{tariff.pk}/change/").status_code == 200
    assert super_browser.get("/admin/tariffs/tariff/").status_code == 200


def test_an_administrator_gives_a_member_credits_and_takes_them_back(organization, make_member, login):
    sender = make_member(organization, "sender")
    browser = login(make_member(organization, "admin").user, organization)
    with tenant_context(organization):
        own = account_open()
        credits_top_up(account_id=own.pk, amount=100, reason="Invoice")
    page = "/admin/billing/creditaccount"
    given = {"member": sender.pk, "amount": "30", "reason": "March"}
    assert browser.post(f"{page}/add/", given).status_code == 302
    with tenant_context(organization):
        account = CreditAccount.objects.get(membership_id=sender.pk)
    assert browser.post(f"{page}/{account.pk}/give/", {"amount": "5", "reason": "More"}).status_code == 302
    assert browser.post(f"{page}/{account.pk}/take-back/", {"amount": "15", "reason": "Too much"}).status_code == 302
    refused = browser.post(f"{page}/{account.pk}/take-back/", {"amount": "21", "reason": "Too much"})
    assert "21 are needed, 20 are available" in refused.content.decode()
    assert (balance(organization), balance(organization, sender)) == (80, 20)
    detail = browser.get(f"{page}/{account.pk}/change/").content.decode()
    assert "Too much" in detail
    # The organisation's own account has no such buttons, and nobody here creates credits.
    assert browser.get(f"{page}/{own.pk}/give/").status_code == 403
    assert login(sender.user, organization).get(f"{page}/").status_code == 403


def test_a_member_of_another_organisation_gets_nothing(organization, other_organization, make_member, login):
    stranger = make_member(other_organization, "sender")
    browser = login(make_member(organization, "admin").user, organization)
    given = {"member": stranger.pk, "amount": "30", "reason": "March"}
    answer = browser.post("/admin/billing/creditaccount/add/", given)
    assert "member" in answer.context["form"].errors
    assert Membership.objects.get(pk=stranger.pk).credit_limit is None
    with tenant_context(other_organization):
        assert not CreditAccount.objects.exists()


def test_prices_of_others_are_not_listed(organization, other_organization, make_member, login):
    Tariff.objects.create(price=3, country="GA", operator="everybodys")
    theirs = Tariff.objects.create(price=1, country="GA", operator="theirs", organization=other_organization)
    browser = login(make_member(organization, "owner").user, organization)
    listed = browser.get("/admin/tariffs/tariff/").content.decode()
    assert "everybodys" in listed
    assert "theirs" not in listed
    assert browser.get(f"/admin/tariffs/tariff/{theirs.pk}/change/").status_code == 404


def test_the_form_shows_what_a_message_costs(organization, make_member, login, make_channel):
    channel = make_channel(organization)
    browser = login(make_member(organization, "sender").user, organization)
    form = {"channel": channel.pk, "to": "+22997000001", "text": "Hello"}
    cost = "/admin/messaging/message/cost/"
    assert "data-preview" not in browser.get("/admin/messaging/message/add/").content.decode()
    assert browser.post(cost, form).content.decode().strip() == ""
    Tariff.objects.create(price="2.5", country="BJ")
    with tenant_context(organization):
        credits_top_up(account_id=account_open().pk, amount=2, reason="Invoice")
    payers_forget()
    assert "data-preview" in browser.get("/admin/messaging/message/add/").content.decode()
    shown = browser.post(cost, form).content.decode()
    assert "2.5" in shown
    assert "not enough credits" in shown
    assert "refused" in browser.post(cost, form | {"to": "+24107123456"}).content.decode()
    for odd in ({"channel": "x"}, {"channel": "99999999999999999999"}, {"to": ""}, {"to": "nobody"}):
        assert browser.post(cost, form | odd).status_code == 200
    viewer = login(make_member(organization, "viewer").user, organization)
    assert viewer.post(cost, form).status_code == 403


def test_the_planner_shows_the_cost(organization, make_member, login, make_channel):
    from campaigns.services.campaigns import campaign_create
    from contacts.services.identities import contacts_save

    channel = make_channel(organization)
    browser = login(make_member(organization, "manager").user, organization)
    Tariff.objects.create(price="2.5", country="BJ")
    with tenant_context(organization):
        credits_top_up(account_id=account_open().pk, amount=6, reason="Invoice")
        contacts_save(phones=["22997000001", "22997000002", "22997000003"])
        campaign = campaign_create(
            organization=organization,
            name="Spring",
            channel_id=channel.pk,
            content={"type": "text", "text": {"body": "Hello"}},
        )
    shown = browser.get(f"/admin/campaigns/campaign/{campaign.pk}/launch/").content.decode()
    assert "7.5" in shown
    assert "not enough credits" in shown
