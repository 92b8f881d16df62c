"""What is sent: body and headers of one attempt, rebuilt from the rows whenever somebody wants to see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhooks_app.catalogue import surface_name
from webhooks_app.formats import body_of
from webhooks_app.formats.neutral import NeutralEvent
from webhooks_app.signing import signed_headers


@dataclass(frozen=True, slots=True)
class DeliveryRequest:
    """One request: `body` is exactly what is signed."""

    headers: dict[str, str]
    body: bytes


def request_build(
    *,
    surface: str,
    secrets_valid: list[str],
    delivery_uuid: str,
    event_type: str,
    data: dict[str, Any],
    happened_at: datetime,
    is_test: bool,
    timestamp: int,
) -> DeliveryRequest:
    """The request of an attempt at `timestamp` (whole epoch seconds). Body and `webhook-id` are always the same."""
    name = surface_name(surface, event_type)
    body = body_of(surface, NeutralEvent(delivery_uuid, event_type, name, happened_at, is_test, data))
    headers = signed_headers(
        secrets_valid=secrets_valid, message_id=delivery_uuid, timestamp=timestamp, event=name, body=body
    )
    return DeliveryRequest(headers, body)


def secrets_valid(secrets: dict[str, str], previous_until: datetime | None, now: datetime) -> list[str]:
    """The secrets that sign at `now`: the current one, then one that is being phased out."""
    previous = secrets.get("previous")
    return [secrets["current"], *([previous] if previous and previous_until and previous_until > now else [])]
