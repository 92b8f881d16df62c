from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.services.keys import SCOPES, api_key_create
from tests.api.transactional.caller import Caller


@pytest.fixture
def make_caller() -> Callable[..., Caller]:
    """`make_caller(organization, **options of api_key_create)`: by default a live key with every scope."""

    def make(organization: Any, **options: Any) -> Caller:
        defaults = {"name": "Tests", "mode": "live", "scopes": SCOPES["transactional"], "rate_per_minute": 1_000_000}
        return Caller(api_key_create(organization=organization, **(defaults | options))[1])

    return make


@pytest.fixture
def caller(in_schema: Any, make_caller: Callable[..., Caller]) -> Caller:
    """A back end of the first organisation with a live key and every scope."""
    return make_caller(in_schema)


@pytest.fixture
def text(channel: Any) -> dict[str, Any]:
    """The body of a single send that is accepted."""
    return {"providerId": str(channel.uuid), "to": "22996123456", "message": "Hello"}
