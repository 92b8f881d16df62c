"""Meta's webhooks of a WhatsApp account, cut into changes and normalised.

A body carries up to 1,000 updates of several accounts. One change becomes one `WebhookPart`, one message or status of
it one `Inbound`. Nothing here raises on odd data: what cannot be read comes out as `Unknown`.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from messaging.drivers.base import (
    AddressKind,
    Inbound,
    InboundMedia,
    ReceivedMessage,
    Route,
    SentElsewhere,
    StatusUpdate,
    Unknown,
    WebhookPart,
)
from messaging.drivers.whatsapp_cloud.errors import ERRORS
from messaging.drivers.whatsapp_cloud.news import news_of, number_changed

OBJECT: Final = "whatsapp_business_account"
PHONE_ROUTE: Final = "whatsapp_phone"
ACCOUNT_ROUTE: Final = "whatsapp_account"

STATUSES: Final[Mapping[str, str]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    # A voice message was listened to: it was read at the latest then.
    "played": "read",
    "failed": "failed",
}
MESSAGE_TYPES: Final = frozenset(
    {
        "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "reaction", "interactive",
        "button", "order", "system", "edit", "revoke", "unsupported",
    }
)  # fmt: skip
# News about an earlier message or about the account itself: the customer has not written anything new.
_FILES: Final = frozenset({"image", "video", "audio", "document", "sticker"})
_OPENS_NO_WINDOW: Final = frozenset({"reaction", "system", "edit", "revoke"})
ACCOUNT_FIELDS: Final = frozenset(
    {
        "account_alerts", "account_review_update", "account_update", "business_capability_update",
        "business_username_updates", "message_template_components_update", "message_template_quality_update",
        "message_template_status_update", "phone_number_name_update", "phone_number_quality_update", "security",
        "template_category_update",
    }
)  # fmt: skip
# Country code, dot, letters and digits; with another dotted word for parent ids.
_BSUID: Final = re.compile(r"[A-Z]{2}\.(?:[A-Z]+\.)?[A-Za-z0-9]{1,128}")
BSUID: Final = AddressKind("bsuid", _BSUID, "WhatsApp user id")
_PHONE: Final = re.compile(r"\+?[0-9]{5,20}")
# Envelope fields of a message; everything else is its content.
_NOT_CONTENT: Final = frozenset({"from", "from_user_id", "from_parent_user_id", "to", "to_user_id", "id", "timestamp"})
_ID_LENGTH: Final = 255


def split(payload: Mapping[str, Any]) -> Iterator[WebhookPart]:
    """One part per change. A body of another `object` is not ours: nothing comes out."""
    if payload.get("object") != OBJECT:
        return
    entries = payload.get("entry")
    if not isinstance(entries, list):
        yield WebhookPart(None, "entry", {"field": "", "value": entries})
        return
    for number, entry in enumerate(entries):
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            yield WebhookPart(None, f"entry[{number}]", {"field": "", "value": entry})
            continue
        for index, change in enumerate(changes):
            yield _part(entry, change, f"entry[{number}].changes[{index}]")


def _part(entry: Mapping[str, Any], change: Any, where: str) -> WebhookPart:
    field = change.get("field") if isinstance(change, dict) else None
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(field, str) or not isinstance(value, dict):
        return WebhookPart(None, where, {"field": "", "value": change})
    data = {"field": field, "value": value, "account_id": entry.get("id"), "time": entry.get("time")}
    return WebhookPart(_route(entry, value), where, data)


def _route(entry: Mapping[str, Any], value: Mapping[str, Any]) -> Route | None:
    phone_id = _mapping(value.get("metadata")).get("phone_number_id")
    if phone_id is not None:
        return Route(PHONE_ROUTE, str(phone_id)[:64])
    # Partner news arrive under the id of the partner's business; the account they are about is inside.
    account = _mapping(value.get("waba_info")).get("waba_id") or entry.get("id")
    return Route(ACCOUNT_ROUTE, str(account)[:64]) if isinstance(account, str | int) else None


def parse(part: WebhookPart) -> Iterator[Inbound]:
    """The messages, statuses and news of one change, in the order of the body."""
    field, value = str(part.data.get("field", "")), part.data.get("value")
    if not isinstance(value, Mapping) or not field:
        yield Unknown("a change that is not an object with field and value", part.data)
        return
    reader = _READERS.get(field)
    if reader is not None:
        yield from reader(value)
    elif field in ACCOUNT_FIELDS:
        yield replace(news_of(field, value), at=_time(part.data.get("time")))
    else:
        yield Unknown(f"field {field}", value)


def _messages(value: Mapping[str, Any]) -> Iterator[Inbound]:
    contacts = [item for item in _list(value.get("contacts")) if isinstance(item, dict)]
    known = False
    for message in _list(value.get("messages")):
        known = True
        yield _message(message, contacts)
        moved = number_changed(message) if isinstance(message, dict) else None
        if moved is not None:
            yield moved
    for status in _list(value.get("statuses")):
        known = True
        yield _status(status)
    for error in _list(value.get("errors")):
        known = True
        yield Unknown(f"an error of the number: {ERRORS.in_webhook([error]).reason}", _mapping(error))
    if not known:
        yield Unknown("a change without messages, statuses and errors", value)


def _message(message: Any, contacts: list[dict[str, Any]]) -> Inbound:
    if not isinstance(message, dict):
        return Unknown("a message that is not an object", {"message": message})
    provider_id, at = message.get("id"), _time(message.get("timestamp"))
    kind = message.get("type")
    profile = _profile(message, contacts)
    identities = _identities(message, profile)
    if not isinstance(provider_id, str) or not 0 < len(provider_id) <= _ID_LENGTH or at is None or not identities:
        return Unknown("a message without id, time or sender", message)
    known = kind if isinstance(kind, str) and kind in MESSAGE_TYPES else ""
    content = {key: entry for key, entry in message.items() if key not in _NOT_CONTENT}
    return ReceivedMessage(
        provider_id=provider_id,
        identities=identities,
        name=_name(profile),
        type=known or "unsupported",
        content=content,
        at=at,
        reply_to=_reply_to(message, kind),
        opens_window=known not in _OPENS_NO_WINDOW,
        media=_media(known, _mapping(message.get(known))) if known in _FILES else (),
    )


def _media(kind: str, file: Mapping[str, Any]) -> tuple[InboundMedia, ...]:
    """The file of a message, by Meta's id; its hash is base64 here and hex everywhere else."""
    media_id = file.get("id")
    if not isinstance(media_id, str) or not 0 < len(media_id) <= _ID_LENGTH:
        return ()
    return (
        InboundMedia(
            kind,
            media_id=media_id,
            content_type=_text(file.get("mime_type"))[:100],
            sha256=_hex(file.get("sha256")),
            filename=_text(file.get("filename"))[:240],
        ),
    )


def _hex(value: Any) -> str:
    """A SHA-256 from base64 or hex; "" when it is neither."""
    if not isinstance(value, str):
        return ""
    if re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return value.lower()
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return digest.hex() if len(digest) == 32 else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _profile(message: Mapping[str, Any], contacts: list[dict[str, Any]]) -> Mapping[str, Any]:
    """The entry of `contacts` that belongs to the sender of `message`."""
    phone, user = message.get("from"), message.get("from_user_id")
    for contact in contacts:
        if (phone and contact.get("wa_id") == phone) or (user and contact.get("user_id") == user):
            return contact
    return contacts[0] if len(contacts) == 1 and not phone and not user else {}


def _identities(message: Mapping[str, Any], profile: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(kind, value), the phone first. User ids have been seen in the fields of the phone: the form decides."""
    system = _mapping(message.get("system"))
    candidates = [
        message.get("from"), profile.get("wa_id"), message.get("from_user_id"), profile.get("user_id"),
    ]  # fmt: skip
    if not any(candidates):
        # A system message about a new user id names nobody else.
        candidates = [system.get("wa_id"), system.get("user_id")]
    found: dict[str, str] = {}
    for candidate in candidates:
        identity = _identity(candidate)
        if identity is not None:
            found.setdefault(*identity)
    return tuple((kind, found[kind]) for kind in ("phone", "bsuid") if kind in found)


def _identity(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, str):
        return None
    if _PHONE.fullmatch(value):
        return "phone", value.removeprefix("+")
    return ("bsuid", value) if _BSUID.fullmatch(value) else None


def _name(profile: Mapping[str, Any]) -> str:
    details = _mapping(profile.get("profile"))
    name = details.get("name") or details.get("username")
    return name if isinstance(name, str) else ""


def _reply_to(message: Mapping[str, Any], kind: Any) -> str:
    """The message that this one answers, reacts to, edits or takes back."""
    body = _mapping(message.get(kind)) if isinstance(kind, str) else {}
    target = (
        _mapping(message.get("context")).get("id") or body.get("original_message_id") or _reaction_target(kind, body)
    )
    return target if isinstance(target, str) and len(target) <= _ID_LENGTH else ""


def _reaction_target(kind: Any, body: Mapping[str, Any]) -> Any:
    return body.get("message_id") if kind == "reaction" else None


def _status(status: Any) -> Inbound:
    if not isinstance(status, dict):
        return Unknown("a status that is not an object", {"status": status})
    provider_id, at, name = status.get("id"), _time(status.get("timestamp")), status.get("status")
    if not isinstance(provider_id, str) or not 0 < len(provider_id) <= _ID_LENGTH or at is None:
        return Unknown("a status without id or time", status)
    if not isinstance(name, str) or name not in STATUSES:
        return Unknown(f"status {name}", status)
    return StatusUpdate(
        provider_id=provider_id,
        status=STATUSES[name],
        at=at,
        uuid=_uuid(status.get("biz_opaque_callback_data")),
        error=ERRORS.in_webhook(status.get("errors")) if name == "failed" else None,
        details={key: status[key] for key in _STATUS_DETAILS if key in status},
    )


_STATUS_DETAILS: Final = ("recipient_id", "recipient_user_id", "recipient_participant_id", "pricing", "conversation")


def _preferences(value: Mapping[str, Any]) -> Iterator[Inbound]:
    items = _list(value.get("user_preferences"))
    for item in items:
        yield news_of("user_preferences", _mapping(item))
    if not items:
        yield Unknown("user_preferences without entries", value)


def _user_ids(value: Mapping[str, Any]) -> Iterator[Inbound]:
    items = _list(value.get("user_id_update"))
    for item in items:
        yield news_of("user_id_update", _mapping(item))
    if not items:
        yield Unknown("user_id_update without entries", value)


def _echoes(value: Mapping[str, Any]) -> Iterator[Inbound]:
    """Messages that staff sent with the phone app on the same number; the list of contacts may be missing."""
    contacts = [item for item in _list(value.get("contacts")) if isinstance(item, dict)]
    items = _list(value.get("message_echoes"))
    for item in items:
        yield _echo(_mapping(item), contacts)
    if not items:
        yield Unknown("smb_message_echoes without entries", value)


def _echo(echo: Mapping[str, Any], contacts: list[dict[str, Any]]) -> Inbound:
    recipient = {"from": echo.get("to"), "from_user_id": echo.get("to_user_id")}
    identities = _identities(recipient, _profile(recipient, contacts))
    provider_id, at, kind = echo.get("id"), _time(echo.get("timestamp")), echo.get("type")
    if not isinstance(provider_id, str) or not 0 < len(provider_id) <= _ID_LENGTH or at is None or not identities:
        return Unknown("a message of the phone app without id, time or recipient", echo)
    return SentElsewhere(
        provider_id=provider_id,
        identities=identities,
        type=kind if isinstance(kind, str) and kind in MESSAGE_TYPES else "unsupported",
        content={key: entry for key, entry in echo.items() if key not in _NOT_CONTENT},
        at=at,
        reply_to=_reply_to(echo, kind),
        source="phone app",
    )


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[Inbound]]]] = {
    "messages": _messages,
    "user_preferences": _preferences,
    "user_id_update": _user_ids,
    "smb_message_echoes": _echoes,
}


def _time(value: Any) -> datetime | None:
    """Seconds since 1970, as a string in messages and statuses and as a number elsewhere; up to the year 2199."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    digits = str(value)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10) or int(digits) > 7_258_118_400:
        return None
    return datetime.fromtimestamp(int(digits), UTC)


def _uuid(value: Any) -> str:
    """Our own uuid in canonical form, or "" when the echo is not one of ours."""
    if not isinstance(value, str) or len(value) != 36:
        return ""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
