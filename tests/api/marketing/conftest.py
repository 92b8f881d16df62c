from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django_tenants.utils import schema_context

from api.rate_limit import RateState
from tenants.models import Membership, User
from tenants.services.tokens import token_create
from tests.api.marketing.caller import Marketer

_numbers = count(1)


@pytest.fixture
def make_member() -> Callable[..., Membership]:
    """`make_member(organization, role="owner", permissions=None)`: a person with an account and a membership."""

    def make(organization: Any, role: str = "owner", permissions: Any = None, **fields: Any) -> Membership:
        email = fields.pop("email", f"{role}-{next(_numbers)}@people.test")
        with schema_context("public"):
            user = User.objects.create_user(email, "a-long-test-password", name=fields.pop("name", "Ada"))
            return Membership.objects.create(
                user=user, organization=organization, role=role, permissions=permissions, **fields
            )

    return make


@pytest.fixture
def make_marketer(make_member: Callable[..., Membership]) -> Callable[..., Marketer]:
    """The same, logged in."""

    def make(organization: Any, role: str = "owner", permissions: Any = None, **fields: Any) -> Marketer:
        member = make_member(organization, role, permissions, **fields)
        marketer = Marketer(token_create(membership=member))
        marketer.member = member  # type: ignore[attr-defined]
        return marketer

    return make


@pytest.fixture
def marketer(in_schema: Any, make_marketer: Callable[..., Marketer]) -> Marketer:
    """The owner of the first organisation, logged in; its schema is entered."""
    return make_marketer(in_schema)


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that call more often in a minute than is allowed."""
    state = RateState(True, 120, 119, 0.0, 0.5)
    monkeypatch.setattr("api.marketing.endpoint.token_rate", lambda bearer, limit: state)
    monkeypatch.setattr("api.marketing.endpoint.address_rate", lambda request: state)
    monkeypatch.setattr("api.marketing.endpoint.stranger_rate", lambda request: state)
