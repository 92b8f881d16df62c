"""Callbacks of gateways: delivery reports and incoming SMS, by GET or POST, as parameters or JSON, one or many.

A callback is stored raw, together with the rules that its channel had at that moment.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from messaging.drivers.base import (
    PHONE,
    Inbound,
    ReceivedMessage,
    Route,
    SendError,
    StatusUpdate,
    Unknown,
    WebhookPart,
)
from messaging.drivers.callbacks import Callback, CallbackAbout
from messaging.drivers.sms_http.definition import Definition, error_of, path_of, value_at, value_text

OBJECT: Final = "sms"
ROUTE: Final = "sms"
ACCOUNT_ROUTE: Final = "sms_account"
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_ID_LENGTH: Final = 128
_MOST: Final = 10_000
_EPOCH_MS: Final = 100_000_000_000
# A word in place of a number: service messages of operators come from names such as "Airtel".
_NO_PHONE: Final = re.compile(r"[A-Za-z]")


def envelope(definition: Definition, external_id: str, callback: Callback) -> dict[str, Any]:
    """A callback as a webhook body: raw, with what is needed to read it."""
    is_report = callback.about is CallbackAbout.REPORT
    try:
        body: dict[str, str] = {"body": callback.body.decode("utf-8")}
    except UnicodeDecodeError:
        body = {"base64": base64.b64encode(callback.body).decode()}
    return {
        "object": OBJECT,
        "channel": external_id,
        "about": str(callback.about),
        "at": callback.at.isoformat(),
        "nonce": callback.nonce,
        "rules": definition.reports if is_report else definition.incoming,
        "errors": definition.errors if is_report else {},
        "query": callback.query,
        "content_type": callback.content_type[:100],
        **body,
    }


def split(payload: Mapping[str, Any]) -> Iterator[WebhookPart]:
    """One part: a callback is for one channel."""
    if payload.get("object") != OBJECT:
        return
    external_id = payload.get("channel")
    route = Route(ROUTE, external_id) if isinstance(external_id, str) and external_id else None
    yield WebhookPart(route, str(payload.get("about") or OBJECT)[:20], payload)


def parse(part: WebhookPart) -> Iterator[Inbound]:
    """The reports or messages of a callback; what cannot be read comes out as `Unknown`."""
    data = part.data
    about = data.get("about")
    if about not in tuple(CallbackAbout):
        yield Unknown("a callback about something unknown", data)
        return
    rules = data.get("rules") if isinstance(data.get("rules"), Mapping) else {}
    received_at = _time(data.get("at"), datetime.now(UTC))
    records = _records(data, rules or {})
    if records is None:
        yield Unknown("a callback whose body cannot be read", data)
        return
    read: Callable[[_Record, Mapping[str, Any]], Inbound | None] = (
        _report if about == CallbackAbout.REPORT else _message
    )
    for place, record in enumerate(records[:_MOST]):
        item = read(_Record(record, rules or {}, received_at, f"{data.get('nonce')}-{place}"), data)
        if item is not None:
            yield item


class _Record:
    """One report or message, with the names that its gateway uses."""

    def __init__(self, values: Any, rules: Mapping[str, Any], received_at: datetime, fallback_id: str) -> None:
        self._values = values
        self._rules = rules
        self.received_at = received_at
        self.fallback_id = fallback_id

    def get(self, what: str) -> str:
        """The value that the gateway's rules call `what`, as text; "" when there is none."""
        name = self._rules.get(what)
        if not isinstance(name, str) or not name:
            return ""
        if isinstance(self._values, Mapping) and name in self._values:
            found = self._values[name]
        else:
            found = value_at(self._values, path_of(name))
        return (value_text(found) or "").strip() if what != "text" else value_text(found) or ""

    @property
    def at(self) -> datetime:
        """When it happened; never later than when we heard of it."""
        return min(_time(self.get("at"), self.received_at), self.received_at + timedelta(seconds=1))


def _records(data: Mapping[str, Any], rules: Mapping[str, Any]) -> list[Any] | None:
    """What the callback tells of, each as a mapping; None when the body is broken."""
    charset = rules.get("charset")
    params = _params(str(data.get("query") or ""), charset)
    body = _body(data)
    if body is None:
        return None
    if not body.strip():
        return [params]
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        listed = rules.get("list")
        listed = value_at(found, path_of(listed)) if isinstance(listed, str) and listed else found
        if isinstance(listed, list):
            return listed
        return [{**params, **found}] if isinstance(found, dict) else [found]
    return [params | _params(body.decode("latin-1"), charset)]


def _body(data: Mapping[str, Any]) -> bytes | None:
    if isinstance(data.get("base64"), str):
        try:
            return base64.b64decode(data["base64"], validate=True)
        except ValueError:
            return None
    return str(data.get("body") or "").encode("utf-8", "replace")


def _params(text: str, charset_name: Any) -> dict[str, str]:
    """Parameters of a query or form. `charset_name` names the one that says how the others are encoded."""
    charset = "utf-8"
    if isinstance(charset_name, str) and charset_name:
        given = dict(parse_qsl(text, keep_blank_values=True)).get(charset_name, "")
        charset = given if _is_charset(given) else charset
    return dict(parse_qsl(text, keep_blank_values=True, encoding=charset, errors="replace"))


def _is_charset(name: str) -> bool:
    """Whether Python decodes text of this name; the names that turn bytes into bytes are none."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{2,20}", name):
        return False
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def _report(record: _Record, data: Mapping[str, Any]) -> Inbound | None:
    given = record.get("id")
    uuid = given.lower() if _UUID.fullmatch(given) else ""
    provider_id = record.get("message_id")[:_ID_LENGTH] or uuid or given[:_ID_LENGTH]
    statuses = data["rules"].get("statuses") if isinstance(data.get("rules"), Mapping) else None
    word = record.get("status")
    status = statuses.get(word) if isinstance(statuses, Mapping) else None
    if not provider_id:
        return Unknown("a delivery report that names no message", data)
    if status == "":
        return None
    if status not in ("sent", "delivered", "failed"):
        return Unknown(f"a delivery report with status {word[:40]!r}", data)
    error = _error(record, data) if status == "failed" else None
    return StatusUpdate(provider_id, status, record.at, uuid, error, {"word": word[:40]})


def _error(record: _Record, data: Mapping[str, Any]) -> SendError:
    code, words = record.get("error")[:40], record.get("error_text")[:300]
    table = data.get("errors")
    known = error_of(table, code, words) if isinstance(table, Mapping) and code else None
    return known or SendError(code or "undelivered", words or "The gateway reports that it was not delivered.")


def _message(record: _Record, data: Mapping[str, Any]) -> Inbound:
    sender = record.get("from")
    phone = "".join(filter(str.isdigit, filter(str.isascii, sender)))
    phone = phone.removeprefix("00") if sender.startswith("00") else phone
    if _NO_PHONE.search(sender) or not PHONE.pattern.fullmatch(phone):
        return Unknown(f"an SMS from {sender[:20]!r}, which is no phone number", data)
    # Without an id every call counts as a message of its own: two equal ones in a row are more common than a repeat.
    own_id = record.get("id") or hashlib.sha256(record.fallback_id.encode()).hexdigest()[:32]
    return ReceivedMessage(
        provider_id=f"in-{own_id}"[:_ID_LENGTH],
        identities=((PHONE.name, phone),),
        name="",
        type="text",
        content={"type": "text", "text": {"body": record.get("text")}},
        at=record.at,
    )


def _time(value: Any, otherwise: datetime) -> datetime:
    """Unix seconds or milliseconds, or ISO 8601 (UTC when it names no zone)."""
    text = str(value or "").strip()
    try:
        if text.replace(".", "", 1).isdecimal():
            seconds = float(text)
            return datetime.fromtimestamp(seconds / 1000 if seconds > _EPOCH_MS else seconds, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return otherwise
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
