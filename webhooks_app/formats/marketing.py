"""Events as the marketing document has them: `{"event", "timestamp", "data"}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhooks_app.formats.neutral import NeutralEvent, iso_seconds, phone_of, text_of


def body(event: NeutralEvent) -> dict[str, Any]:
    """`timestamp` is ISO 8601 in whole seconds, UTC; `data` is flat, with the integer ids of the marketing API."""
    return {"event": event.name, "timestamp": iso_seconds(event.at), "data": _data(event)}


def _data(event: NeutralEvent) -> dict[str, Any]:
    if event.type.startswith("message."):
        return _message(event)
    subject = event.type.partition(".")[0]
    part = event.data.get(subject)
    if not isinstance(part, Mapping):
        return dict(event.data)
    flat = {name: value for name, value in part.items() if name not in {"id", "number"}}
    if "phone" in flat:
        flat["phone"] = phone_of(flat["phone"])
    rest = {name: value for name, value in event.data.items() if name != subject}
    return {"id": part.get("number"), "uuid": part.get("id")} | flat | rest


def _message(event: NeutralEvent) -> dict[str, Any]:
    message, channel, contact = event.part("message"), event.part("channel"), event.part("contact")
    return {
        "message_id": message.get("number"),
        "uuid": message.get("id"),
        "recipient": phone_of(message.get("address")),
        "contact_id": contact.get("number"),
        "status": message.get("status"),
        "message": text_of(message.get("content")),
        "channel": channel.get("name"),
        "campaign_run_id": message.get("campaign_run_id"),
        "sent_at": message.get("sent_at"),
        "delivered_at": message.get("delivered_at"),
        "error": message.get("error_reason") or None,
        "error_code": message.get("error_code") or None,
    }
