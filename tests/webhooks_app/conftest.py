"""Endpoints and receivers for the tests of webhooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django_tenants.utils import schema_context


@pytest.fixture
def make_endpoint() -> Callable[..., Any]:
    """`make_endpoint(organization, url, **fields)`: an active endpoint with its lane; the schema stays as it was."""
    from webhooks_app.services.endpoints import endpoint_create

    def make(organization: Any, url: str = "http://127.0.0.1:9/hook", **fields: Any) -> Any:
        defaults = {"surface": "workspace", "name": "Test", "events": ["*"], "secret": "a-secret-for-the-tests"}
        with schema_context(organization.schema_name):
            return endpoint_create(url=url, **(defaults | fields))[0]

    return make
