"""What happened besides: events and audit entries of the current schema."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from audit.models import AuditEntry
from webhooks_app.models import Event
from webhooks_app.services.endpoints import endpoint_create


@pytest.fixture
def told(in_schema) -> Callable[[], list[tuple[str, dict]]]:
    """`told()`: (type, data) of the events published, with an endpoint that listens to everything."""
    endpoint_create(surface="transactional", url="http://127.0.0.1:9/hook", events=["*"])
    return lambda: list(Event.objects.order_by("id").values_list("type", "data"))


@pytest.fixture
def audited() -> Callable[[], list[str]]:
    """`audited()`: the actions recorded, in their order."""
    entries = AuditEntry.objects.exclude(action__startswith="webhook.").order_by("id")
    return lambda: list(entries.values_list("action", flat=True))
