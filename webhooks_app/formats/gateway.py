"""Events as the gateway's document has them, with the vendor's customer added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from messaging.drivers.registry import drivers
from webhooks_app.formats.neutral import NeutralEvent, text_of


def body(event: NeutralEvent) -> dict[str, Any]:
    """`{"event", "channel", ...}`; times are whole seconds since 1970."""
    channel = event.part("channel")
    top: dict[str, Any] = {"event": event.name}
    if channel:
        top["channel"] = {
            "id": channel.get("reference") or channel.get("id"),
            "type": _channel_type(channel.get("kind")),
        }
        top["customerId"] = channel.get("customer_id")
    if event.type == "message.received":
        return top | _received(event)
    if event.name == "message.status":
        return top | {"message": _status(event)}
    if event.type == "template.status_changed":
        return top | {"template": _template(event)}
    if event.type == "channel.status_changed":
        return top | {
            "change": {
                "oldStatus": channel.get("old_status"),
                "newStatus": channel.get("new_status"),
                "reason": channel.get("reason"),
            },
            "timestamp": int(event.at.timestamp()),
        }
    return top | {"data": dict(event.data), "timestamp": int(event.at.timestamp())}


def _channel_type(kind: Any) -> str:
    """`WHATSAPP` for `whatsapp_cloud`, `FACEBOOK` for `messenger`; `SMS` for `sms_http`."""
    driver = drivers().get(str(kind))
    return (driver.network if driver else "") or str(kind or "").partition("_")[0].upper()


def _received(event: NeutralEvent) -> dict[str, Any]:
    message, contact = event.part("message"), event.part("contact")
    content = message.get("content")
    found: dict[str, Any] = {
        "id": message.get("provider_id") or message.get("id"),
        "type": message.get("type"),
        "text": text_of(content),
        "timestamp": int(event.milestone().timestamp()),
    }
    if message.get("type") != "text" or _has_more_than_text(content):
        found["content"] = content
    if files := message.get("files"):
        found["files"] = [_file(file) for file in files]
    if message.get("reply_to"):
        found["replyTo"] = message["reply_to"]
    return {"contact": {"id": message.get("address"), "name": contact.get("name") or ""}, "message": found}


def _has_more_than_text(content: Any) -> bool:
    """Whether a text came with something else: the advertisement or story that it answers, that it was forwarded."""
    return isinstance(content, Mapping) and bool(set(content) - {"type", "text"})


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    """`url` answers, with an API key, how far the download is and with a short-lived link to the content."""
    return {
        "id": file.get("id"),
        "type": file.get("kind"),
        "mimeType": file.get("mime_type") or None,
        "name": file.get("filename") or None,
        "url": f"{settings.PUBLIC_BASE_URL}/v1/files/{file.get('id')}",
    }


def _status(event: NeutralEvent) -> dict[str, Any]:
    message = event.part("message")
    failed = message.get("status") == "failed"
    return {
        "id": message.get("id"),
        "status": message.get("status"),
        "recipient": message.get("address"),
        "timestamp": int(event.milestone().timestamp()),
        "error": (message.get("error_reason") or message.get("error_code") or "unknown") if failed else None,
        "errorCode": message.get("error_code") if failed else None,
    }


def _template(event: NeutralEvent) -> dict[str, Any]:
    template = event.part("template")
    return {
        "id": template.get("id"),
        "name": template.get("name"),
        "language": template.get("language"),
        "oldStatus": template.get("old_status"),
        "newStatus": template.get("new_status"),
        "reason": template.get("reason"),
    }
