"""Members: permissions of their own, a credit limit, and logging them out of the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from audit.models import AuditEntry
from billing.services.credits import credits_balance
from tenants.connection import connection
from tenants.models import Membership
from tenants.services.tokens import token_create
from tests.admin.test_pages import page


@pytest.fixture
def sender(organization: Any, make_member: Any) -> Any:
    return make_member(organization, "sender", email="sender@people.test")


def test_own_permissions_are_set_and_taken_back(organization: Any, browser_of: Any, sender: Any, login: Any) -> None:
    owner, visitor = browser_of("owner"), login(sender.user, organization)
    assert visitor.get(page("contacts.contact", "changelist")).status_code == 200
    address = page("tenants.membership", "change_permissions", sender.pk)
    assert owner.post(address, {"source": "own", "permissions": ["view_history"]}).status_code == 302
    assert Membership.objects.get(pk=sender.pk).permissions == ["view_history"]
    assert visitor.get(page("contacts.contact", "changelist")).status_code == 403
    assert visitor.get(page("messaging.message", "changelist")).status_code == 200
    assert owner.post(address, {"source": "own", "permissions": ["fly"]}).status_code == 200
    assert owner.post(address, {"source": "role", "permissions": ["send_sms"]}).status_code == 302
    assert Membership.objects.get(pk=sender.pk).permissions is None
    assert visitor.get(page("contacts.contact", "changelist")).status_code == 200
    connection.set_tenant(organization)
    changes = AuditEntry.objects.filter(action="sub_account.permissions_changed").order_by("id")
    assert [entry.new_values for entry in changes] == [{"permissions": ["view_history"]}, {"permissions": None}]


def test_a_credit_limit_gives_the_member_credits_of_their_own(organization: Any, browser_of: Any, sender: Any) -> None:
    owner = browser_of("owner")
    address = page("tenants.membership", "change_limit", sender.pk)
    assert owner.post(address, {"limit": "-1"}).status_code == 200
    assert owner.post(address, {"limit": "250"}).status_code == 302
    connection.set_tenant(organization)
    assert Membership.objects.get(pk=sender.pk).credit_limit == Decimal(250)
    balance = credits_balance(membership=sender)
    assert balance is not None and balance.available == Decimal(250)


def test_a_member_is_logged_out_of_the_api(organization: Any, browser_of: Any, sender: Any) -> None:
    token_create(membership=sender)
    owner = browser_of("owner")
    assert "Log out of the API" in owner.get(page("tenants.membership", "change", sender.pk)).content.decode()
    assert owner.post(page("tenants.membership", "log_out", sender.pk)).status_code == 302
    assert sender.tokens.count() == 0


@pytest.mark.parametrize("role", ["manager", "sender", "viewer"])
def test_others_change_nothing(organization: Any, browser_of: Any, sender: Any, role: str) -> None:
    browser = browser_of(role)
    for name in ("change_permissions", "change_limit", "log_out"):
        answer = browser.post(page("tenants.membership", name, sender.pk), {"source": "own", "limit": "5"})
        assert answer.status_code in (403, 404), name
    unchanged = Membership.objects.get(pk=sender.pk)
    assert (unchanged.permissions, unchanged.credit_limit) == (None, None)
