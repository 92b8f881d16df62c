"""Payloads against the documents' own examples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhooks_app.catalogue import SURFACE_EVENTS, Surface, surface_name
from webhooks_app.formats import body_of
from webhooks_app.formats.neutral import NeutralEvent
from webhooks_app.payloads import BODY_BYTES

AT = datetime(2025, 11, 7, 12, 0, 0, 987654, tzinfo=UTC)
CHANNEL = {"id": "chan-1", "number": 3, "name": "Support", "kind": "whatsapp_cloud", "customer_id": "cust-1"}
MESSAGE = {
    "id": "0199-msg", "number": 7, "provider_id": "wamid.HBgN", "direction": "out", "type": "text",
    "address": "5215512345678",
    "content": {"type": "text", "text": {"body": "Hola, necesito ayuda 🚀"}}, "error_code": "", "error_reason": "",
    "sent_at": "2026-06-25T14:40:02+00:00", "read_at": "2026-06-25T14:40:12.9+00:00",
}  # fmt: skip


def sent(surface: str, kind: str, data: dict[str, Any]) -> Any:
    event = NeutralEvent("0199-delivery", kind, surface_name(surface, kind), AT, True, data)
    return json.loads(body_of(surface, event))


def message(**changes: Any) -> dict[str, Any]:
    return {
        "message": MESSAGE | changes,
        "channel": CHANNEL,
        "contact": {"id": "0199-contact", "number": 9, "name": "Luis Gomez", "phone": "5215512345678"},
    }


CASES = [
    (
        "gateway", "message.received", message(direction="in", status="received"),
        {
            "event": "message.received", "customerId": "cust-1", "channel": {"id": "chan-1", "type": "WHATSAPP"},
            "contact": {"id": "5215512345678", "name": "Luis Gomez"},
            "message": {"id": "wamid.HBgN", "type": "text", "text": "Hola, necesito ayuda 🚀", "timestamp": 1782398402},
        },
    ),
    (
        "gateway", "message.read", message(status="read"),
        {
            "event": "message.status", "customerId": "cust-1", "channel": {"id": "chan-1", "type": "WHATSAPP"},
            "message": {
                "id": "0199-msg", "status": "read", "recipient": "5215512345678", "timestamp": 1782398412,
                "error": None, "errorCode": None,
            },
        },
    ),
    (
        "gateway", "template.status_changed",
        {
            "channel": CHANNEL,
            "template": {"id": "8934", "name": "factura", "old_status": "PENDING", "new_status": "APPROVED"},
        },
        {
            "event": "template.status_changed", "customerId": "cust-1", "channel": {"id": "chan-1", "type": "WHATSAPP"},
            "template": {
                "id": "8934", "name": "factura", "language": None, "oldStatus": "PENDING", "newStatus": "APPROVED",
                "reason": None,
            },
        },
    ),
    (
        "marketing", "webhook.test",
        {"message": "This is a test webhook delivery", "webhook_id": 1, "webhook_name": "My Integration"},
        {
            "event": "webhook.test", "timestamp": "2025-11-07T12:00:00+00:00",
            "data": {"message": "This is a test webhook delivery", "webhook_id": 1, "webhook_name": "My Integration"},
        },
    ),
    (
        "marketing", "contact.created",
        {"contact": {"id": "0199", "number": 5, "name": "Ada", "phone": "24162000000", "custom_fields": {"a": 1}}},
        {
            "event": "contact.created", "timestamp": "2025-11-07T12:00:00+00:00",
            "data": {"id": 5, "uuid": "0199", "name": "Ada", "phone": "+24162000000", "custom_fields": {"a": 1}},
        },
    ),
    (
        "workspace", "contact.deleted", {"contact": {"number": 5}},
        {
            "id": "0199-delivery", "type": "contact.deleted", "timestamp": "2025-11-07T12:00:00+00:00", "test": True,
            "data": {"contact": {"number": 5}},
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("surface", "kind", "data", "expected"), CASES)
def test_payloads_are_as_documented(surface, kind, data, expected):
    assert sent(surface, kind, data) == expected


def test_a_failure_tells_why():
    found = sent(
        "gateway", "message.failed", message(status="failed", error_code="131026", error_reason="Not reachable")
    )
    assert (found["message"]["status"], found["message"]["error"]) == ("failed", "Not reachable")
    found = sent("marketing", "message.failed", message(status="failed", error_code="131026", error_reason=""))
    assert (found["event"], found["data"]["error_code"], found["data"]["recipient"]) == (
        "message.failed", "131026", "+5215512345678",
    )  # fmt: skip


@pytest.mark.parametrize("surface", list(Surface))
def test_every_offered_event_has_a_payload_even_without_details(surface):
    for types in SURFACE_EVENTS[surface].values():
        for kind in types:
            assert sent(surface, kind, {}) != {}


@pytest.mark.parametrize("surface", list(Surface))
def test_no_body_is_larger_than_promised_and_ids_survive(surface):
    huge = message(type="image", content={"type": "image", "image": {"caption": "🚀" * 60_000}}, status="received")
    kind = "message.sent" if surface == Surface.MARKETING else "message.received"
    event = NeutralEvent("0199", kind, surface_name(surface, kind), AT, False, huge)
    body = body_of(surface, event)
    assert len(body) <= BODY_BYTES
    assert b"chan-1" in body or b"0199-msg" in body
