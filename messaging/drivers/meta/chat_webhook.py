"""Webhooks of pages and Instagram accounts, cut into events and normalised to the shapes of all other channels.

One element of `messaging` (or `standby`, when another app owns the thread) becomes one `WebhookPart`. Nothing here
raises on odd data: what cannot be read comes out as `Unknown`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from messaging.drivers.base import (
    Inbound,
    InboundMedia,
    ReceivedMessage,
    Route,
    SentElsewhere,
    StatusUpdate,
    Unknown,
    Watermark,
    WebhookPart,
)
from messaging.drivers.news import AccountNews

_ID_LENGTH: Final = 255
_PERSON_LENGTH: Final = 32
# More attachments than any of the apps lets a person send at once; the core looks for as many.
_PARTS: Final = 30
# Meta's type of an attachment -> our type of a file.
FILES: Final[Mapping[str, str]] = {"image": "image", "video": "video", "audio": "audio", "file": "document"}
_LISTS: Final = ("messaging", "standby")
# Who may answer in a thread changes, and other news that nobody has to act upon but everybody may want to see.
_NEWS: Final[Mapping[str, str]] = {
    "pass_thread_control": "The conversation was passed on to another app.",
    "take_thread_control": "Another app has taken over the conversation.",
    "request_thread_control": "Another app asks for the conversation.",
    "app_roles": "The roles of the apps of the page have changed.",
    "policy_enforcement": "Meta enforces a policy on the page.",
    "account_linking": "A person has linked or unlinked an account.",
}


@dataclass(frozen=True, slots=True)
class _Event:
    """One element of `messaging`: who the customer is, whether the page itself acted, and when."""

    item: Mapping[str, Any]
    identity: str
    customer: str
    by_page: bool
    at: datetime
    standby: bool

    @property
    def identities(self) -> tuple[tuple[str, str], ...]:
        return ((self.identity, self.customer),)

    def marked(self, content: dict[str, Any]) -> dict[str, Any]:
        """`content`, with a mark when another app owns the thread: bots must not answer then."""
        return content | {"standby": True} if self.standby else content


def split(payload: Mapping[str, Any], *, webhook_object: str, route_kind: str) -> Iterator[WebhookPart]:
    """One part per event. A body of another `object` is not ours: nothing comes out."""
    if payload.get("object") != webhook_object:
        return
    entries = payload.get("entry")
    if not isinstance(entries, list):
        yield WebhookPart(None, "entry", {"field": "", "value": entries})
        return
    for number, entry in enumerate(entries):
        where = f"entry[{number}]"
        account = _person(entry.get("id")) if isinstance(entry, dict) else ""
        if not account:
            yield WebhookPart(None, where, {"field": "", "value": entry})
            continue
        yield from _entry(entry, where, Route(route_kind, account))


def _entry(entry: Mapping[str, Any], where: str, route: Route) -> Iterator[WebhookPart]:
    found = False
    for name in (*_LISTS, "changes"):
        items = entry.get(name)
        if not isinstance(items, list):
            continue
        for index, item in enumerate(items):
            found = True
            field, value = (name, item) if name in _LISTS else (_field(item), item)
            data = {"field": field, "value": value, "account_id": route.external_id, "time": entry.get("time")}
            yield WebhookPart(route, f"{where}.{name}[{index}]", data)
    if not found:
        yield WebhookPart(None, where, {"field": "", "value": entry})


def _field(change: Any) -> str:
    return f"changes.{change.get('field')}" if isinstance(change, dict) else "changes"


def parse(part: WebhookPart, *, identity: str) -> Iterator[Inbound]:
    """What one event says. `identity`: the kind of the customers' ids (psid, igsid)."""
    field, item = str(part.data.get("field", "")), part.data.get("value")
    if not isinstance(item, Mapping):
        yield Unknown("an event that is not an object", part.data)
        return
    if field not in _LISTS:
        yield Unknown(f"field {field}", item)
        return
    event = _event(item, identity, str(part.data.get("account_id", "")), standby=field == "standby")
    if event is None:
        yield Unknown("an event without sender, recipient or time", item)
        return
    for name, reader in _READERS.items():
        value = item.get(name)
        if isinstance(value, Mapping):
            yield from reader(event, value)
            return
    yield _other(event)


def _event(item: Mapping[str, Any], identity: str, account: str, *, standby: bool) -> _Event | None:
    sender, recipient = (_person(_mapping(item.get(side)).get("id")) for side in ("sender", "recipient"))
    by_page = _mapping(item.get("message")).get("is_echo") is True or bool(account and sender == account)
    customer = recipient if by_page else sender
    at = _time(item.get("timestamp"))
    if not customer or at is None:
        return None
    return _Event(item, identity, customer, by_page, at, standby)


def _message(event: _Event, message: Mapping[str, Any]) -> Iterator[Inbound]:
    mid = _id(message.get("mid"))
    if not mid:
        yield Unknown("a message without id", event.item)
    elif message.get("is_deleted") is True:
        yield _revoked(event, mid)
    elif event.by_page:
        yield from _echo(event, message, mid)
    else:
        yield from _received(event, message, mid)


def _received(event: _Event, message: Mapping[str, Any], mid: str) -> Iterator[ReceivedMessage]:
    """One message per attachment, as on other channels; the text belongs to the first one."""
    extras = _extras(message)
    for number, (kind, content, media) in enumerate(_contents(message)):
        yield ReceivedMessage(
            # Of several attachments the first one has the provider's id.
            provider_id=mid if number == 0 else _part_id(mid, str(number)),
            identities=event.identities,
            name="",
            type=kind,
            content=event.marked(content | extras),
            at=event.at,
            reply_to=_id(_mapping(message.get("reply_to")).get("mid")),
            media=media,
        )


def _echo(event: _Event, message: Mapping[str, Any], mid: str) -> Iterator[SentElsewhere]:
    app = message.get("app_id")
    for number, (kind, content, _) in enumerate(_contents(message)):
        yield SentElsewhere(
            provider_id=mid if number == 0 else _part_id(mid, str(number)),
            identities=event.identities,
            type=kind,
            content=content,
            at=event.at,
            uuid=_uuid(message.get("metadata")) if number == 0 else "",
            reply_to=_id(_mapping(message.get("reply_to")).get("mid")),
            source=f"app {app}" if app else "",
        )


def _extras(message: Mapping[str, Any]) -> dict[str, Any]:
    """What goes with any message: the advertisement that it came from, and the story that it answers."""
    extras = {name: message[name] for name in ("referral", "nlp") if isinstance(message.get(name), Mapping)}
    story = _mapping(message.get("reply_to")).get("story")
    return extras | {"story": story} if isinstance(story, Mapping) else extras


_Content = tuple[str, dict[str, Any], tuple[InboundMedia, ...]]


def _contents(message: Mapping[str, Any]) -> list[_Content]:
    text = message.get("text")
    text = text if isinstance(text, str) else ""
    payload = _mapping(message.get("quick_reply")).get("payload")
    found = [_attachment(item) for item in _list(message.get("attachments")) if isinstance(item, Mapping)][:_PARTS]
    if isinstance(payload, str):
        tapped = {"type": "button_reply", "button_reply": {"id": payload, "title": text}}
        return [("interactive", {"type": "interactive", "interactive": tapped}, ())]
    if text and found and isinstance(found[0][1].get(found[0][0]), dict):
        kind, content, media = found[0]
        return [(kind, {**content, kind: {**content[kind], "caption": text}}, media), *found[1:]]
    if text:
        return [("text", {"type": "text", "text": {"body": text}}, ()), *found]
    if found:
        return found
    details = {key: value for key, value in message.items() if key != "mid"}
    return [("unsupported", {"type": "unsupported", "unsupported": details}, ())]


def _attachment(attachment: Mapping[str, Any]) -> _Content:
    kind, payload = attachment.get("type"), _mapping(attachment.get("payload"))
    url = payload.get("url")
    url = url if isinstance(url, str) and url.startswith(("https://", "http://")) else ""
    if kind == "image" and payload.get("sticker_id") is not None:
        sticker = {"sticker_id": str(payload["sticker_id"])} | ({"url": url} if url else {})
        return "sticker", {"type": "sticker", "sticker": sticker}, _media("sticker", url)
    if isinstance(kind, str) and kind in FILES and url:
        ours = FILES[kind]
        return ours, {"type": ours, ours: {"url": url}}, _media(ours, url)
    if kind == "location":
        place = _mapping(payload.get("coordinates"))
        where = {"latitude": place.get("lat"), "longitude": place.get("long")}
        return "location", {"type": "location", "location": where | ({"url": url} if url else {})}, ()
    # Shared posts, mentions in stories, templates, links: shown as what they are.
    shown: dict[str, Any] = {"kind": str(kind)[:40], "payload": dict(payload)}
    shown |= {key: attachment[key] for key in ("title", "url") if isinstance(attachment.get(key), str)}
    return "share", {"type": "share", "share": shown}, ()


def _media(kind: str, url: str) -> tuple[InboundMedia, ...]:
    return (InboundMedia(kind, url=url),) if url else ()


def _revoked(event: _Event, mid: str) -> ReceivedMessage:
    """The author takes a message back: its content must not be kept."""
    return _act(event, "revoke", mid, {"original_message_id": mid, "parts": _part_id(mid, "")}, reply_to=mid)


def _edited(event: _Event, edit: Mapping[str, Any]) -> Iterator[Inbound]:
    mid, text = _id(edit.get("mid")), edit.get("text")
    if not mid or not isinstance(text, str):
        yield Unknown("an edit without id or text", event.item)
        return
    body = {"original_message_id": mid, "message": {"type": "text", "text": {"body": text}}}
    yield _act(event, "edit", f"{mid}:{edit.get('num_edit', '')}", body, reply_to=mid)


def _reaction(event: _Event, reaction: Mapping[str, Any]) -> Iterator[Inbound]:
    mid = _id(reaction.get("mid"))
    if not mid or event.by_page:
        yield Unknown("a reaction of the page itself" if event.by_page else "a reaction without message", event.item)
        return
    body: dict[str, Any] = {"message_id": mid}
    emoji = reaction.get("emoji") or reaction.get("reaction")
    if reaction.get("action") != "unreact" and isinstance(emoji, str):
        body["emoji"] = emoji
    yield _act(event, "reaction", mid, body, reply_to=mid)


def _postback(event: _Event, postback: Mapping[str, Any]) -> Iterator[Inbound]:
    """A tap on a button, the persistent menu or an ice breaker."""
    body = {"payload": _text(postback.get("payload")), "text": _text(postback.get("title"))}
    made = _act(event, "button", f"{body['payload']}", body, opens_window=True)
    mid = _id(postback.get("mid"))
    made = replace(made, provider_id=mid) if mid else made
    referral = postback.get("referral")
    yield replace(made, content={**made.content, "referral": referral}) if isinstance(referral, Mapping) else made


def _referral(event: _Event, referral: Mapping[str, Any]) -> Iterator[Inbound]:
    yield _act(event, "referral", str(referral.get("ref", "")), dict(referral))


def _optin(event: _Event, optin: Mapping[str, Any]) -> Iterator[Inbound]:
    yield _act(event, "optin", str(optin.get("type", "")), dict(optin))


def _act(
    event: _Event, kind: str, about: str, body: dict[str, Any], *, reply_to: str = "", opens_window: bool = False
) -> ReceivedMessage:
    """Something a person did that has no id of its own: who, what and when make one, so that a repeat is known."""
    moment = str(int(event.at.timestamp() * 1000))
    return ReceivedMessage(
        provider_id=_made_id(kind, event.customer, about, moment),
        identities=event.identities,
        name="",
        type=kind,
        content=event.marked({"type": kind, kind: body}),
        at=event.at,
        reply_to=reply_to,
        opens_window=opens_window,
    )


def _read(event: _Event, read: Mapping[str, Any]) -> Iterator[Inbound]:
    """Instagram names the message; Messenger means everything up to a moment."""
    mid, up_to = _id(read.get("mid")), _time(read.get("watermark"))
    if mid:
        yield StatusUpdate(mid, "read", event.at)
    elif up_to is not None:
        yield Watermark("read", event.customer, up_to)
    else:
        yield Unknown("a read event without message and watermark", event.item)


def _delivery(event: _Event, delivery: Mapping[str, Any]) -> Iterator[Inbound]:
    """The list of messages may be missing; the watermark covers them and all earlier ones."""
    up_to = _time(delivery.get("watermark"))
    ids = [mid for entry in _list(delivery.get("mids")) if (mid := _id(entry))]
    for mid in ids:
        yield StatusUpdate(mid, "delivered", up_to or event.at)
    if up_to is not None:
        yield Watermark("delivered", event.customer, up_to)
    elif not ids:
        yield Unknown("a delivery without messages and watermark", event.item)


def _other(event: _Event) -> Inbound:
    name = next((key for key in event.item if key in _NEWS), None)
    if name is not None:
        return AccountNews(name, event.item, summary=_NEWS[name])
    kinds = [key for key in event.item if key not in ("sender", "recipient", "timestamp")]
    return Unknown(f"event {', '.join(kinds)[:80] or 'without content'}", event.item)


_READERS: Final[Mapping[str, Callable[[_Event, Mapping[str, Any]], Iterator[Inbound]]]] = {
    "message": _message,
    "message_edit": _edited,
    "postback": _postback,
    "reaction": _reaction,
    "read": _read,
    "delivery": _delivery,
    "referral": _referral,
    "optin": _optin,
}


def _part_id(mid: str, number: str) -> str:
    """The id of a further attachment of a message; without a number the beginning of all of them."""
    return f"{_made_id('part', mid)}:{number}"


def _made_id(*parts: str) -> str:
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{parts[0]}:{digest[:48]}"


def _id(value: Any) -> str:
    return value if isinstance(value, str) and 0 < len(value) <= _ID_LENGTH else ""


def _person(value: Any) -> str:
    """An id of a person, page or account: decimal digits, as a string or a number."""
    digits = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return digits if digits.isascii() and digits.isdigit() and len(digits) <= _PERSON_LENGTH else ""


def _time(value: Any) -> datetime | None:
    """Milliseconds since 1970 as a number; up to the year 2199."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 7_258_118_400_000:
        return None
    return datetime.fromtimestamp(value // 1000, UTC).replace(microsecond=value % 1000 * 1000)


def _uuid(value: Any) -> str:
    """Our own uuid in canonical form, or "" when the metadata is not ours."""
    if not isinstance(value, str) or len(value) != 36:
        return ""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return ""


def _text(value: Any) -> str:
    return value[:2000] if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
