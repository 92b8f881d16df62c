"""Organisations whose messages are charged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_tenants.utils import schema_context

from tests.campaigns.conftest import make_campaign, make_contacts, no_wake_ups, work  # noqa: F401  fixtures
from tests.messaging.dispatch.conftest import engine, sandbox, wait_until  # noqa: F401  fixtures


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Prices and payers are read anew in every test."""
    from billing.pricing import prices_forget
    from billing.services.payers import payers_forget

    payers_forget()
    prices_forget()
    yield
    payers_forget()
    prices_forget()


@pytest.fixture
def make_tariff() -> Callable[..., Any]:
    """`make_tariff(price=…, **fields)`: a general tariff."""
    from billing.pricing import prices_forget
    from billing.tariffs.models import Tariff

    def make(**fields: Any) -> Any:
        prices_forget()
        return Tariff.objects.create(**({"price": 2} | fields))

    return make


@pytest.fixture
def charged(committed: Any, make_tariff: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """`charged(organization, credits)`: an open account; 2 credits a message. Everything is committed."""
    from billing.services.credits import account_open, credits_top_up
    from billing.tariffs.models import Tariff

    make_tariff(price=2)

    def open_account(organization: Any, credits: Any) -> Any:
        with schema_context(organization.schema_name):
            account = account_open()
            if credits:
                credits_top_up(account_id=account.pk, amount=credits, reason="Test")
            account.refresh_from_db()
            return account

    yield open_account
    Tariff.objects.all().delete()


@pytest.fixture
def send() -> Callable[..., Any]:
    """`send(organization, channel, count, **options)`: what became of a call to accept that many messages."""
    from messaging.services.accept import Draft, messages_accept
    from messaging.services.channels import channel_by_uuid

    def accept(organization: Any, channel: Any, count: int, *, first: int = 1, **options: Any) -> Any:
        with schema_context(organization.schema_name):
            snapshot = channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid)
            content = {"type": "text", "text": {"body": "Hello"}}
            drafts = [Draft(to=f"229970{first + number:05}", content=content) for number in range(count)]
            defaults = {"origin": "api", "priority": 10}
            return messages_accept(organization=organization, channel=snapshot, drafts=drafts, **(defaults | options))

    return accept


@pytest.fixture
def books() -> Callable[..., Any]:
    """`books(organization)`: (balance, reserved, what the proof finds) of the organisation's own account."""
    from billing.services.credits import credits_balance
    from billing.services.proof import credits_verify

    def read(organization: Any, membership: Any = None) -> Any:
        with schema_context(organization.schema_name):
            balance = credits_balance(membership=membership)
            return balance.available, balance.held, credits_verify()

    return read
