"""What the owner of a phone does: writes, taps, reacts, sends files. Each act becomes a signed webhook."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.chat.events import person_event
from sandbox.chat.pages import Page, person
from sandbox.graph import media as media_routes
from sandbox.graph.account import Number
from sandbox.graph.identifiers import wamid_in
from sandbox.http import BadRequest
from sandbox.phones.book import Phone, Record
from sandbox.phones.view import content
from sandbox.sms.events import message_event, text_of
from sandbox.sms.senders import SmsSender
from sandbox.webhooks.statuses import message_update

if TYPE_CHECKING:
    from sandbox.world import World

Json = dict[str, Any]

TEXT_LENGTH = 4096
ACTS = ("text", "button_id", "list_id", "reaction", "location", "media", "flow", "contacts", "unsupported")
OPTIONS = {"phone_number_id", "message_id", "reply_to", "name", "timestamp", "forwarded"}


def reply(world: World, key: str, act: Json) -> Record:
    """Carry out one act of a phone's owner. Raises BadRequest when it makes no sense.

    `act` has one of: text; button_id (a button's id, payload or text) or list_id, of `message_id` or of the latest
    message that has it; reaction {message_id?, emoji}; location {latitude, longitude, name?, address?};
    media {type, data (base64), mime_type, caption?, filename?}; flow {response}; contacts [...]; unsupported.
    """
    given = [name for name in ACTS if name in act]
    if len(given) != 1 or set(act) - OPTIONS - set(ACTS):
        raise BadRequest(f"give exactly one of {', '.join(ACTS)}, and only {', '.join(sorted(OPTIONS))} next to it")
    page = world.pages.get(str(act.get("phone_number_id")))
    phone = person(world, page, key) if page is not None and key.isdigit() else _phone(world, key)
    if isinstance(act.get("name"), str) and act["name"].strip():
        phone.name = act["name"].strip()[:100]
    number = _number(world, phone, act)
    moment = _timestamp(act)
    message = _content(world, phone, number, given[0], act)
    return _send(world, phone, number, message, moment)


def _phone(world: World, key: str) -> Phone:
    known = world.book.known(key)
    if known is not None:
        return known
    digits = key.lstrip("+").replace(" ", "").replace("-", "")
    if digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15:
        return world.book.phone(digits)
    raise BadRequest("the phone must be a number of 7 to 15 digits, or a known user id", 404)


def _number(world: World, phone: Phone, act: Json) -> Number | Page | SmsSender:
    """The business number that is addressed: the named one, the one of the message, or the latest one."""
    wanted = act.get("phone_number_id")
    if wanted is not None:
        number = _sender(world, str(wanted))
        if number is None:
            raise BadRequest(f"there is no business number {str(wanted)[:40]}", 404)
        return number
    named = world.book.by_wamid.get(str(act.get("message_id") or act.get("reply_to")))
    if named is not None:
        return named.number
    for record in reversed(phone.records):
        return record.number
    if len(world.accounts.numbers) == 1:
        return next(iter(world.accounts.numbers.values()))
    raise BadRequest("name a phone_number_id: this phone has no conversation yet")


def _sender(world: World, number_id: str) -> Number | Page | SmsSender | None:
    return world.accounts.numbers.get(number_id) or world.pages.get(number_id) or world.senders.get(number_id)


def _timestamp(act: Json) -> int:
    moment = act.get("timestamp", int(time.time()))
    if isinstance(moment, bool) or not isinstance(moment, int) or moment < 0:
        raise BadRequest("timestamp must be whole seconds since 1970")
    return moment


def _content(world: World, phone: Phone, number: Number | Page | SmsSender, name: str, act: Json) -> Json:
    value = act[name]
    if name == "text":
        return {"type": "text", "text": {"body": _short(value, "text", TEXT_LENGTH)}, **_context(world, act)}
    if name in ("button_id", "list_id"):
        return _tap(world, phone, number, act, _short(value, name, 300))
    if name == "reaction":
        return _reaction(world, phone, value)
    if name == "location":
        return {"type": "location", "location": _location(value), **_context(world, act)}
    if name == "media":
        return {**_media(world, number, value), **_context(world, act)}
    if name == "flow":
        return _flow(phone, value)
    if name == "contacts":
        return {"type": "contacts", "contacts": _contacts(value)}
    return {
        "type": "unsupported",
        "errors": [
            {
                "code": 131051,
                "title": "Message type unknown",
                "message": "Message type unknown",
                "error_data": {"details": "Message type is currently not supported."},
            }
        ],
        "unsupported": {"type": _short(value, "unsupported", 40)},
    }


def _short(value: object, name: str, longest: int) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise BadRequest(f"{name} must be text of 1 to {longest} characters")
    return value


def _context(world: World, act: Json) -> Json:
    if act.get("forwarded") is True:
        return {"context": {"forwarded": True}}
    quoted = act.get("reply_to")
    if quoted is None:
        return {}
    record = world.book.by_wamid.get(str(quoted))
    if record is None:
        raise BadRequest("reply_to is not the id of a known message", 404)
    return {"context": _quote(record)}


def _quote(record: Record) -> Json:
    author = record.phone.wa_id if record.inbound else record.number.display
    return {"from": author, "id": record.wamid}


def _tap(world: World, phone: Phone, number: Number | Page | SmsSender, act: Json, wanted: str) -> Json:
    """A tap on a button or a list row, found in the named message or in the latest one that has it."""
    if act.get("message_id") is not None:
        named = world.book.by_wamid.get(str(act["message_id"]))
        records = [named] if named is not None and named.phone is phone else []
    else:
        records = [record for record in reversed(phone.records) if record.number.id == number.id]
    for record in records:
        if record.inbound:
            continue
        tapped = _tapped(content(record), wanted, is_list="list_id" in act)
        if tapped is not None:
            return {**tapped, "context": _quote(record)}
    raise BadRequest("no message of this conversation has such a button or row", 404)


def _tapped(shown: Json, wanted: str, *, is_list: bool) -> Json | None:
    if is_list:
        for section in shown.get("list", {}).get("sections", []):
            for row in section["rows"]:
                if wanted in (row["id"], row["title"]):
                    reply = {key: row[key] for key in ("id", "title", "description") if row.get(key)}
                    return {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": reply}}
        return None
    for button in shown.get("buttons", []):
        if button["type"] == "reply" and wanted in (button["id"], button["text"]):
            pressed = {"id": button["id"], "title": button["text"]}
            return {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": pressed}}
        if button["type"] == "quick_reply" and wanted in (button["payload"], button["text"]):
            return {"type": "button", "button": {"payload": button["payload"], "text": button["text"]}}
    return None


def _reaction(world: World, phone: Phone, value: object) -> Json:
    if not isinstance(value, dict) or not isinstance(value.get("emoji", ""), str) or len(value.get("emoji", "")) > 32:
        raise BadRequest("reaction must be an object with emoji and message_id")
    target = world.book.by_wamid.get(str(value.get("message_id")))
    if value.get("message_id") is None:
        target = next((record for record in reversed(phone.records) if not record.inbound), None)
    if target is None or target.phone is not phone:
        raise BadRequest("reaction.message_id is not a message of this conversation", 404)
    emoji = value.get("emoji", "")
    target.reaction = emoji
    reaction = {"message_id": target.wamid, **({"emoji": emoji} if emoji else {})}
    return {"type": "reaction", "reaction": reaction}


def _location(value: object) -> Json:
    if not isinstance(value, dict):
        raise BadRequest("location must be an object")
    place: Json = {}
    for name, largest in (("latitude", 90), ("longitude", 180)):
        number = value.get(name)
        if isinstance(number, bool) or not isinstance(number, int | float) or not -largest <= number <= largest:
            raise BadRequest(f"location.{name} must be a number from -{largest} to {largest}")
        place[name] = number
    place.update({key: _short(value[key], key, 1000) for key in ("name", "address") if value.get(key)})
    return place


def _media(world: World, number: Number | Page | SmsSender, value: object) -> Json:
    if not isinstance(value, dict) or value.get("type") not in ("image", "video", "audio", "document", "sticker"):
        raise BadRequest("media must be an object with type, data (base64) and mime_type")
    mime_type = _short(value.get("mime_type"), "media.mime_type", 100)
    if mime_type.partition(";")[0].strip().lower() not in media_routes.LIMITS:
        raise BadRequest("media.mime_type is not one that WhatsApp carries")
    try:
        data = base64.b64decode(_short(value.get("data"), "media.data", 140_000_000), validate=True)
    except binascii.Error:
        raise BadRequest("media.data must be base64") from None
    kind = value["type"]
    filename = str(value.get("filename") or "")[:240]
    file = world.media.add(data, mime_type, filename, number.waba.id)
    shown: Json = {}
    if value.get("caption") and kind in ("image", "video", "document"):
        shown["caption"] = _short(value["caption"], "media.caption", 1024)
    if kind == "document":
        shown["filename"] = filename or "document"
    shown["mime_type"] = mime_type
    shown["sha256"] = base64.b64encode(file.sha256).decode("ascii")
    shown["id"] = file.id
    if kind == "audio":
        shown["voice"] = "opus" in mime_type
    if kind == "sticker":
        shown["animated"] = False
    return {"type": kind, kind: shown}


def _flow(phone: Phone, value: object) -> Json:
    """The answer of a flow that was filled in; `value` is the data that the form returns."""
    if not isinstance(value, dict):
        raise BadRequest("flow must be an object: the data that the form returns")
    for record in reversed(phone.records):
        body = record.parsed() if record.kind == "interactive" and not record.inbound else {}
        if body and body["interactive"]["type"] == "flow":
            token = body["interactive"]["action"]["parameters"].get("flow_token", "unused")
            answer = {"flow_token": token, **value}
            reply = {"name": "flow", "body": "Sent", "response_json": orjson.dumps(answer).decode("utf-8")}
            nfm = {"type": "nfm_reply", "nfm_reply": reply}
            return {"type": "interactive", "context": _quote(record), "interactive": nfm}
    raise BadRequest("no message of this conversation has a flow", 404)


def _contacts(value: object) -> list[Json]:
    valid = (
        isinstance(value, list)
        and value
        and all(
            isinstance(card, dict) and isinstance(card.get("name"), dict) and card["name"].get("formatted_name")
            for card in value
        )
    )
    if not valid or not isinstance(value, list):
        raise BadRequest("contacts must be a list of objects with name.formatted_name")
    return value


def _write_to_page(world: World, phone: Phone, page: Page, message: Json, moment: int) -> Record:
    """The same acts on Messenger and Instagram: another id, another webhook."""
    mid = page.new_mid()
    quoted = world.book.by_wamid.get(str(message.get("context", {}).get("id")))
    if quoted is not None and quoted.category == "postback":
        message["postback"] = True
    now = time.time()
    moment_ms = int(now * 1000) if moment == int(now) else moment * 1000
    update = person_event(world, page, phone, mid, message, moment_ms)
    record = Record(mid, phone, page, str(message["type"]), orjson.dumps(message), now, inbound=True)
    world.book.add(record)
    if message["type"] != "reaction":
        phone.last_inbound[page.id] = max(phone.last_inbound.get(page.id, 0.0), float(moment))
    if world.board.for_number(page.id).webhooks:
        world.post(page, page, update)
    world.live.touch(phone.key)
    return record


def _write_sms(world: World, phone: Phone, sender: SmsSender, message: Json, moment: int) -> Record:
    """The person answers by SMS."""
    now = time.time()
    text, message_id = text_of(message), f"sms-{secrets.token_hex(10)}"
    update = message_event(sender, phone, message_id, text, now if moment == int(now) else float(moment))
    record = Record(message_id, phone, sender, "text", orjson.dumps(message), now, inbound=True)
    world.book.add(record)
    phone.last_inbound[sender.id] = max(phone.last_inbound.get(sender.id, 0.0), float(moment))
    if world.board.for_number(sender.id).webhooks:
        world.post(sender, sender, update)
    world.live.touch(phone.key)
    return record


def _send(world: World, phone: Phone, number: Number | Page | SmsSender, message: Json, moment: int) -> Record:
    switches = world.board.for_number(number.id)
    if isinstance(number, SmsSender):
        return _write_sms(world, phone, number, message, moment)
    if isinstance(number, Page):
        return _write_to_page(world, phone, number, message, moment)
    hidden = phone.hidden or switches.hide_phones
    wamid = wamid_in(phone.wa_id)
    head: Json = {} if hidden else {"from": phone.wa_id}
    full: Json = {**head, "from_user_id": phone.bsuid, "id": wamid, "timestamp": str(moment)}
    kind = str(message["type"])
    full["type"] = kind
    if "context" in message:
        full["context"] = message["context"]
    full.update({key: value for key, value in message.items() if key not in ("type", "context")})
    record = Record(wamid, phone, number, kind, orjson.dumps(full), time.time(), inbound=True)
    world.book.add(record)
    if kind != "reaction":
        phone.last_inbound[number.id] = max(phone.last_inbound.get(number.id, 0.0), float(moment))
    if switches.throughput_per_second is not None:
        # The limit of a number counts both directions; an incoming message is never refused, it only uses room.
        number.throughput.take(time.monotonic(), switches.throughput_per_second)
    if switches.webhooks:
        world.post(number.waba, number, message_update(number, phone, full, hidden=hidden))
    world.live.touch(phone.key)
    return record
