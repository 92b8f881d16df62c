"""Events for the surfaces whose documents name no webhooks of their own: the shape that Standard Webhooks suggests."""

from __future__ import annotations

from typing import Any

from webhooks_app.formats.neutral import NeutralEvent, iso_seconds


def body(event: NeutralEvent) -> dict[str, Any]:
    """`{"id", "type", "timestamp", "test", "data"}`; `data` is the neutral payload of the catalogue."""
    return {
        "id": event.id,
        "type": event.name,
        "timestamp": iso_seconds(event.at),
        "test": event.is_test,
        "data": dict(event.data),
    }
