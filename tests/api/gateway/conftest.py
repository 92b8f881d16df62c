from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.services.keys import SCOPES, api_key_create
from tests.api.gateway.caller import Vendor


@pytest.fixture
def make_vendor() -> Callable[..., Vendor]:
    """`make_vendor(organization, **options of api_key_create)`: by default a live key with every scope."""

    def make(organization: Any, **options: Any) -> Vendor:
        defaults = {
            "name": "Tests",
            "surface": "gateway",
            "mode": "live",
            "scopes": SCOPES["gateway"],
            "rate_per_minute": 1_000_000,
        }
        return Vendor(api_key_create(organization=organization, **(defaults | options))[1])

    return make


@pytest.fixture
def vendor(in_schema: Any, make_vendor: Callable[..., Vendor]) -> Vendor:
    """A vendor of the first organisation with a live key and every scope."""
    return make_vendor(in_schema)


@pytest.fixture
def text(channel: Any) -> dict[str, Any]:
    """The body of a message that is accepted."""
    return {
        "channelId": str(channel.uuid),
        "channelType": "WHATSAPP",
        "to": "5215512345678",
        "type": "text",
        "text": "Hello",
    }
