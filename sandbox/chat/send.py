"""POST /{page or account}/messages: the send API of Messenger and Instagram, with the faults of the switches.

Order of the checks: token, sender, rate, shape, person, window. Here a closed window is told at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.chat.checks import ACTIONS, HUMAN_AGENT, bad, check_envelope, check_message
from sandbox.chat.pages import INSTAGRAM, MESSENGER, PRODUCTS, Page, person
from sandbox.chat.shapes import drawn
from sandbox.graph.errors import GraphError
from sandbox.graph.tokens import token_of
from sandbox.http import Reply, Request, json_reply
from sandbox.phones.book import Phone, Record
from sandbox.switches import Switches

if TYPE_CHECKING:
    from sandbox.world import World

Json = dict[str, Any]

WINDOW_S = 24 * 3600.0
AGENT_WINDOW_S = 7 * WINDOW_S
TYPING_S = 20.0
_LARGEST = 2**64


def is_chat(body: bytes) -> bool:
    """Whether a body of `/messages` is one of this API: the other one always names its product."""
    return b'"messaging_product"' not in body and b'"recipient"' in body


def answer(world: World, request: Request, path_id: str, switches: Switches) -> Reply:
    """Accept a message or an action, or raise the error that Meta gives."""
    world.tokens.check(token_of(request))
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise bad("The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise bad("The request body must be a JSON object")
    page = world.pages.sender(world, path_id, _product(world, path_id, body))
    fault = switches.sync_error
    if fault is not None and fault.strikes():
        raise GraphError(fault.code, subcode=fault.subcode, bare=True)
    limit = switches.throughput_per_second
    if limit is not None and not page.throughput.take(time.monotonic(), limit):
        raise GraphError(613, bare=True)
    phone = _person(world, page, body)
    if "sender_action" in body:
        return _act(world, page, phone, body)
    check_envelope(body, page.product)
    check_message(body.get("message"), page.product)
    return _accept(world, page, phone, body, switches)


def _product(world: World, path_id: str, body: Json) -> str:
    """Whose API a call is for: a sender that is one product decides, a page with an Instagram account does not.

    Then the form does (only Messenger has a `messaging_type` without a tag), and else the person who is meant.
    """
    known = world.pages.get(path_id)
    if known is not None and path_id not in world.pages.accounts:
        return known.product.name
    kind = body.get("messaging_type")
    if kind == "MESSAGE_TAG" or "sender_action" in body:
        recipient = body.get("recipient")
        user_id = str(recipient.get("id")) if isinstance(recipient, dict) else ""
        on_instagram = world.book.known(PRODUCTS[INSTAGRAM].prefix + user_id) is not None
        on_messenger = world.book.known(PRODUCTS[MESSENGER].prefix + user_id) is not None
        return INSTAGRAM if on_instagram and not on_messenger else MESSENGER
    return MESSENGER if kind is not None else INSTAGRAM


def _person(world: World, page: Page, body: Json) -> Phone:
    recipient = body.get("recipient")
    user_id = recipient.get("id") if isinstance(recipient, dict) else None
    if not isinstance(user_id, str) or not user_id.isascii() or not user_id.isdigit() or not 5 <= len(user_id) <= 32:
        raise GraphError(100, message="(#100) No matching user found", subcode=page.product.no_user_subcode, bare=True)
    return person(world, page, user_id)


def _act(world: World, page: Page, phone: Phone, body: Json) -> Reply:
    action = body["sender_action"]
    if action not in ACTIONS or "message" in body:
        raise bad("sender_action must be one of " + ", ".join(ACTIONS) + ", without a message")
    if action in ("typing_on", "typing_off"):
        phone.typing_until[page.id] = time.time() + TYPING_S if action == "typing_on" else 0.0
    elif action == "mark_seen":
        for record in phone.records:
            if record.inbound and record.number.id == page.id:
                record.seen = True
    else:
        given = body.get("payload")
        payload: Json = given if isinstance(given, dict) else {}
        target = world.book.by_wamid.get(str(payload.get("message_id")))
        if target is None or target.phone is not phone:
            raise bad("payload.message_id is not a message of this conversation")
        target.reaction = str(payload.get("reaction", "")) if action == "react" else ""
    world.live.touch(phone.key)
    return json_reply({"recipient_id": body["recipient"]["id"]})


def _accept(world: World, page: Page, phone: Phone, body: Json, switches: Switches) -> Reply:
    user_id, now = body["recipient"]["id"], time.time()
    ending = user_id[-2:] if switches.magic else ""
    if ending == "99":
        raise GraphError(551, message="(#551) This person isn't available right now.", subcode=1545041, bare=True)
    if ending == "98" and world.throttled.first_time(hash((page.id, user_id, request_key(body)))):
        raise GraphError(613, bare=True)
    span = AGENT_WINDOW_S if body.get("tag") == HUMAN_AGENT else WINDOW_S
    if switches.window and now - phone.last_inbound.get(page.id, 0.0) > span:
        raise GraphError(
            10,
            message="(#10) This message is sent outside of allowed window.",
            subcode=page.product.window_subcode,
            kind=page.product.error_type,
            bare=True,
        )
    shown = drawn(body["message"])
    quoted = body.get("reply_to")
    if isinstance(quoted, dict) and isinstance(quoted.get("mid"), str):
        shown["context"] = {"message_id": quoted["mid"]}
    record = Record(page.new_mid(), phone, page, shown["type"], orjson.dumps(shown), now, inbound=False)
    record.opaque = body["message"].get("metadata")
    # Buttons of cards come back as postbacks, quick replies as messages.
    record.category = "postback" if "attachment" in body["message"] else "service"
    phone.typing_until.pop(page.id, None)
    world.book.add(record)
    world.ledger.accept(page.id, user_id if int(user_id) < _LARGEST else "", record.opaque, now)
    world.live.touch(phone.key)
    delay = switches.slow_ms / 1000 if ending == "97" else 0.0
    drop = ending == "96" or (switches.drop_after is not None and switches.drop_after.strikes())
    world.statuses.plan(record, delay + switches.latency_ms / 1000)
    sent = {"recipient_id": user_id, "message_id": record.wamid}
    return Reply(200, orjson.dumps(sent), delay=delay, drop=drop)


def request_key(body: Json) -> object:
    """What makes two requests the same message: our metadata, else the content."""
    metadata = body["message"].get("metadata")
    return metadata if metadata is not None else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
