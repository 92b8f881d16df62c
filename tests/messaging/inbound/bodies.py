"""Webhook bodies for tests, in the shapes that Meta documents."""

from __future__ import annotations

import json
from typing import Any

AT = 1_790_000_000
PHONE = "22997000001"


def status(provider_id: str, name: str, *, at: int = AT, uuid: str = "", code: int | None = None) -> dict[str, Any]:
    """One entry of `statuses`."""
    entry: dict[str, Any] = {"id": provider_id, "status": name, "timestamp": str(at), "recipient_id": PHONE}
    if uuid:
        entry["biz_opaque_callback_data"] = uuid
    if code is not None:
        entry["errors"] = [{"code": code, "title": "x", "message": "x", "error_data": {"details": "x"}}]
    return entry


def text(provider_id: str, body: str = "Hello", *, sender: str = PHONE, at: int = AT, **extra: Any) -> dict[str, Any]:
    """One text of `messages`."""
    return {"from": sender, "id": provider_id, "timestamp": str(at), "type": "text", "text": {"body": body}} | extra


def change(phone_id: str, **value: Any) -> dict[str, Any]:
    """One change of the field `messages`."""
    metadata = {"display_phone_number": "22997000000", "phone_number_id": phone_id}
    return {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata} | value}


def account_change(field: str, **value: Any) -> dict[str, Any]:
    """One change of an account field."""
    return {"field": field, "value": value}


def body(*changes: dict[str, Any], account: str = "980215774401238", at: int = AT) -> bytes:
    """A POST body with all changes in one entry, which happened `at`."""
    entry = {"id": account, "time": at, "changes": list(changes)}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
