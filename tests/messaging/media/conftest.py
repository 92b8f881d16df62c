"""The same committed organisations and feeding as the inbound tests; a provider of files, and files that are stored."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django_tenants.utils import schema_context

from messaging.drivers.whatsapp_cloud.media import LIMITS
from tests.messaging.inbound.conftest import feed, fresh_caches, live
from tests.messaging.media.provider import PNG, Provider

__all__ = ["feed", "fresh_caches", "live"]


@pytest.fixture
def provider(settings: Any, storage: Any) -> Iterator[Provider]:
    made = Provider()
    settings.SANDBOX_URL = made.url
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def stored(committed: Any, provider: Provider) -> Any:
    """(organisation, other organisation, a stored PNG, a stored PDF)."""
    from messaging.media.files import file_create

    organization, other = committed
    with schema_context(organization.schema_name):
        made = [
            file_create(source=io.BytesIO(content), kind=kind, declared=declared, filename=name, limits=LIMITS)
            for content, kind, declared, name in (
                (PNG, "image", "image/png", "menu.png"),
                (b"%PDF-1.7 " + b"x" * 100, "document", "application/pdf", 'a"/b.pdf'),
            )
        ]
    return organization, other, *made
