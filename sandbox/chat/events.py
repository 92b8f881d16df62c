"""Webhooks of pages and accounts: what people do, and what becomes of our messages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sandbox.chat.pages import INSTAGRAM, Page, user_id_of
from sandbox.chat.shapes import KINDS
from sandbox.http import BadRequest
from sandbox.phones.book import DELIVERED, READ, SENT, Phone, Record
from sandbox.webhooks.encoding import Update, meta_json

if TYPE_CHECKING:
    from sandbox.world import World

Json = dict[str, Any]

_ATTACHMENTS = {ours: theirs for theirs, ours in KINDS.items()} | {"sticker": "image"}


def status_event(world: World, page: Page, record: Record, state: int) -> Update | None:
    """The echo, the delivery or the reading of our message; Instagram has no delivery."""
    user, now = user_id_of(record.phone), int(time.time() * 1000)
    if state == SENT:
        return _update(page, _echo(world, page, record, user))
    if state == DELIVERED and page.product.name != INSTAGRAM:
        return _update(page, _from(user, page, now, "delivery", {"mids": [record.wamid], "watermark": now}))
    if state == READ:
        read = {"mid": record.wamid} if page.product.name == INSTAGRAM else {"watermark": now}
        return _update(page, _from(user, page, now, "read", read))
    return None


def _echo(world: World, page: Page, record: Record, user: str) -> Json:
    shown = record.parsed()
    kind = shown["type"]
    message: Json = {"mid": record.wamid, "is_echo": True, "app_id": int(world.config.app_id)}
    if page.product.name == INSTAGRAM:
        del message["app_id"]
    elif record.opaque is not None:
        message["metadata"] = record.opaque
    if kind == "text":
        message["text"] = shown["text"]["body"]
    elif kind == "interactive" and record.category != "postback":
        message["text"] = shown["interactive"]["body"]["text"]
    elif kind == "interactive":
        message["attachments"] = [{"type": "template", "payload": {}}]
    else:
        message["attachments"] = [{"type": _ATTACHMENTS[kind], "payload": {"url": shown[kind]["link"]}}]
    moment = int(record.at * 1000)
    return {"sender": {"id": page.id}, "recipient": {"id": user}, "timestamp": moment, "message": message}


def person_event(world: World, page: Page, phone: Phone, mid: str, message: Json, moment_ms: int) -> Update:
    """What a person did, given in the other channel's form. Raises BadRequest for what this product does not have."""
    kind, user = message["type"], user_id_of(phone)
    if kind == "reaction":
        return _update(page, _from(user, page, moment_ms, "reaction", _reaction(message["reaction"])))
    if kind == "interactive" and message.get("postback"):
        tapped = message["interactive"]["button_reply"]
        body = {"mid": mid, "title": tapped["title"], "payload": tapped["id"]}
        return _update(page, _from(user, page, moment_ms, "postback", body))
    body = {"mid": mid, **_content(world, kind, message)}
    quoted = message.get("context", {}).get("id")
    if quoted and kind != "interactive":
        body["reply_to"] = {"mid": quoted}
    return _update(page, _from(user, page, moment_ms, "message", body))


def _content(world: World, kind: str, message: Json) -> Json:
    if kind == "text":
        return {"text": message["text"]["body"]}
    if kind == "interactive" and "button_reply" in message["interactive"]:
        tapped = message["interactive"]["button_reply"]
        return {"text": tapped["title"], "quick_reply": {"payload": tapped["id"]}}
    if kind == "location":
        place = message["location"]
        coordinates = {"lat": place["latitude"], "long": place["longitude"]}
        return {"attachments": [{"type": "location", "payload": {"coordinates": coordinates}}]}
    if kind in _ATTACHMENTS:
        url = f"{world.config.public_url}/_cdn/{message[kind]['id']}"
        attached: Json = {"attachments": [{"type": _ATTACHMENTS[kind], "payload": {"url": url}}]}
        return attached | ({"text": message[kind]["caption"]} if message[kind].get("caption") else {})
    if kind == "unsupported":
        return {"is_unsupported": True}
    raise BadRequest("Messenger and Instagram have no such messages")


def _reaction(reaction: Json) -> Json:
    if not reaction.get("emoji"):
        return {"mid": reaction["message_id"], "action": "unreact"}
    return {"mid": reaction["message_id"], "action": "react", "reaction": "other", "emoji": reaction["emoji"]}


def _from(user: str, page: Page, moment_ms: int, name: str, body: Json) -> Json:
    return {"sender": {"id": user}, "recipient": {"id": page.id}, "timestamp": moment_ms, name: body}


def _update(page: Page, item: Json) -> Update:
    text = meta_json(item).replace("\\/", "/")
    return Update(page.id, "", text, field="messages", time=int(time.time() * 1000), object=page.product.object)
