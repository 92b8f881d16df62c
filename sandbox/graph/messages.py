"""POST /{phone_number_id}/messages: the path that has to be fast.

Order of the checks, as documented: token, path id, rate, schema, recipient, template, window.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.chat import send
from sandbox.graph.account import SUCCESS, Number
from sandbox.graph.errors import GraphError, required, trace_id, unknown_object, webhook_error
from sandbox.graph.identifiers import wamid_out
from sandbox.graph.schema import check_message, media_id_of
from sandbox.graph.template_send import check_parameters
from sandbox.graph.tokens import number_for, token_of
from sandbox.http import Reply, Request, json_reply
from sandbox.phones.book import Phone, Record
from sandbox.switches import Switches

if TYPE_CHECKING:
    from sandbox.graph.templates import Template
    from sandbox.world import World

Json = dict[str, Any]

WINDOW_S = 24 * 3600.0
TYPING_S = 25.0
BSUID_LENGTH = 131
_SEPARATORS = str.maketrans("", "", " -().")
# Failures that Meta reports by a `failed` status after accepting the message.
FAIL_UNDELIVERABLE, FAIL_WINDOW = 131026, 131047


class Throttled:
    """Messages to numbers ending in 98 that had their one refusal; bounded."""

    KEPT = 200_000

    def __init__(self) -> None:
        self._seen: OrderedDict[int, None] = OrderedDict()

    def first_time(self, key: int) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > self.KEPT:
            self._seen.popitem(last=False)
        return True


def handle(world: World, request: Request, number_id: str) -> Reply:
    """Answer one call, with the faults that the switches ask for."""
    switches = world.board.for_number(number_id)
    storm = switches.server_error
    if storm is not None and storm.strikes():
        status = storm.code if 500 <= storm.code <= 599 else 503
        page = b"<html><body><h1>Sorry, something went wrong.</h1></body></html>"
        return Reply(status, page, [("content-type", "text/html; charset=utf-8")])
    if switches.drop_before is not None and switches.drop_before.strikes():
        return Reply(500, b"", drop=True)
    try:
        reply = (
            send.answer(world, request, number_id, switches)
            if send.is_chat(request.body)
            else _answer(world, request, number_id, switches)
        )
    except GraphError as error:
        world.ledger.reject(error.code)
        reply = error.reply()
    reply.delay += switches.latency_ms / 1000
    return reply


def _answer(world: World, request: Request, number_id: str, switches: Switches) -> Reply:
    token = token_of(request)
    world.tokens.check(token)
    number = number_for(world, number_id, token, "POST")
    if number is None:
        raise unknown_object(number_id, "POST")
    if not number.registered:
        raise GraphError(133010)
    now = time.time()
    body = _parsed(request.body)
    if "status" in body and "type" not in body:
        return _mark_read(world, number, body, now)
    fault = switches.sync_error
    if fault is not None and fault.strikes():
        raise GraphError(fault.code, subcode=fault.subcode)
    limit = switches.throughput_per_second
    if limit is not None and not number.throughput.take(time.monotonic(), limit):
        raise GraphError(130429)
    kind = check_message(body)
    phone = _recipient(world, number, body, switches)
    template = _template(world, number, body, kind, switches, hidden=phone.hidden)
    failure = _failure(phone, number, kind, switches, now)
    if failure is not None and switches.failures == "sync":
        raise GraphError(int(str(failure["code"])))
    return _accept(world, request.body, number, body, kind, phone, template, failure, switches, now)


def _parsed(raw: bytes) -> Json:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise GraphError(100, "The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise GraphError(100, "The request body must be a JSON object")
    return body


def _recipient(world: World, number: Number, body: Json, switches: Switches) -> Phone:
    """The phone that is meant: `to` wins over `recipient`."""
    to = body.get("to")
    if to is None or to == "":
        bsuid = body.get("recipient")
        if bsuid is None or bsuid == "":
            raise required("to")
        if not _is_bsuid(bsuid):
            raise GraphError(100, "recipient must be a business-scoped user id")
        return world.book.phone(bsuid)
    digits = to.translate(_SEPARATORS).removeprefix("+") if isinstance(to, str) else ""
    if not (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15 and digits[0] != "0"):
        raise GraphError(100, "to must be a valid WhatsApp number")
    if digits == number.display:
        raise GraphError(131021)
    allowed = switches.allowed_recipients
    if allowed is not None and digits not in allowed:
        raise GraphError(131030)
    if switches.pair_limit and not number.pairs.take(digits, time.monotonic()):
        raise GraphError(131056)
    if switches.magic and digits.endswith("98"):
        opaque = body.get("biz_opaque_callback_data")
        key = opaque if opaque is not None else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        if world.throttled.first_time(hash((number.id, digits, key))):
            raise GraphError(130429)
    return world.book.phone(digits)


def _is_bsuid(value: object) -> bool:
    if not isinstance(value, str) or not 4 <= len(value) <= BSUID_LENGTH or value[2] != ".":
        return False
    rest = value[3:].replace(".", "")
    return value[:2].isascii() and value[:2].isalpha() and value[:2].isupper() and rest.isascii() and rest.isalnum()


def _template(
    world: World, number: Number, body: Json, kind: str, switches: Switches, *, hidden: bool
) -> Template | None:
    media_id = media_id_of(body, kind)
    if media_id is not None and media_id not in world.media.files:
        raise GraphError(131009, f"Media ID {media_id} is not known, or it has expired")
    if kind != "template":
        return None
    wanted = body["template"]
    template = find_template(world, number, wanted["name"], wanted["language"]["code"])
    if template is None:
        if _accepts_unknown(number, switches):
            return None
        raise GraphError(132001, f"template name ({wanted['name']}) does not exist in {wanted['language']['code']}")
    if template.status == "PAUSED":
        raise GraphError(132015)
    if template.status == "DISABLED":
        raise GraphError(132016)
    if template.status != "APPROVED":
        raise GraphError(132001, f"template name ({template.name}) does not exist in {template.language}")
    if hidden and template.category == "AUTHENTICATION":
        raise GraphError(131062)
    check_parameters(template, wanted.get("components", []))
    return template


def find_template(world: World, number: Number, name: str, language: str) -> Template | None:
    """The template of the number's WABA. A number whose WABA is a guess joins the WABA that has the template."""
    found = number.waba.templates.get((name, language))
    if found is None and number.assumed:
        for waba in world.accounts.wabas.values():
            found = waba.templates.get((name, language))
            if found is not None:
                world.accounts.adopt(number, waba)
                break
    return found


def _accepts_unknown(number: Number, switches: Switches) -> bool:
    """A number that appeared by use may have templates which the sandbox forgot when it was restarted."""
    if switches.unknown_templates == "auto":
        return number.assumed and not switches.strict
    return switches.unknown_templates == "accept"


def _failure(phone: Phone, number: Number, kind: str, switches: Switches, now: float) -> dict[str, object] | None:
    fault = switches.async_error
    if fault is not None and fault.strikes():
        return webhook_error(fault.code)
    if switches.magic and not phone.hidden and phone.wa_id.endswith("99"):
        return webhook_error(FAIL_UNDELIVERABLE)
    if switches.window and kind != "template" and now - phone.last_inbound.get(number.id, 0.0) > WINDOW_S:
        return webhook_error(FAIL_WINDOW)
    return None


def _accept(
    world: World,
    raw: bytes,
    number: Number,
    body: Json,
    kind: str,
    phone: Phone,
    template: Template | None,
    failure: dict[str, object] | None,
    switches: Switches,
    now: float,
) -> Reply:
    record = Record(wamid_out(phone.wa_id), phone, number, kind, raw, now, inbound=False)
    opaque = record.opaque = body.get("biz_opaque_callback_data")
    record.template = template
    if template is not None:
        record.category = template.category.lower()
        record.components = template.components
    elif kind == "template":
        record.category = "utility"
    record.error = failure
    if kind == "reaction":
        record.error = failure or _react(world, record, body["reaction"])
    phone.typing_until.pop(number.id, None)
    world.book.add(record)
    world.ledger.accept(number.id, "" if phone.hidden else phone.wa_id, opaque, now)
    world.live.touch(phone.key)
    ending = phone.wa_id[-2:] if switches.magic and not phone.hidden else ""
    delay = switches.slow_ms / 1000 if ending == "97" else 0.0
    drop = ending == "96" or (switches.drop_after is not None and switches.drop_after.strikes())
    world.statuses.plan(record, delay + switches.latency_ms / 1000)
    return Reply(200, _accepted(body, record, kind, switches), _headers(), delay=delay, drop=drop)


def _accepted(body: Json, record: Record, kind: str, switches: Switches) -> bytes:
    phone = record.phone
    to = body.get("to")
    contact = {"input": to, "wa_id": phone.wa_id} if to else {"input": body["recipient"], "user_id": phone.bsuid}
    message = {"id": record.wamid}
    if kind == "template":
        message["message_status"] = switches.template_status
    return orjson.dumps({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]})


def _headers() -> list[tuple[str, str]]:
    return [
        ("content-type", "application/json; charset=UTF-8"),
        ("facebook-api-version", "v25.0"),
        ("x-fb-trace-id", trace_id()),
    ]


def _react(world: World, record: Record, reaction: Json) -> dict[str, object] | None:
    """Put the emoji on its message; a failure when that message is a reaction itself or older than 30 days."""
    target = world.book.by_wamid.get(reaction["message_id"])
    if target is None:
        return None
    if target.kind == "reaction" or record.at - target.at > 30 * 24 * 3600:
        return webhook_error(131009, "The message cannot be reacted to.")
    target.reaction = reaction["emoji"]
    return None


def _mark_read(world: World, number: Number, body: Json, now: float) -> Reply:
    """Mark a customer's message and all earlier ones as read; with a typing indicator, show it for 25 s."""
    if body.get("messaging_product") != "whatsapp":
        raise required("messaging_product")
    if body["status"] != "read":
        raise GraphError(100, "status must be read")
    target = world.book.by_wamid.get(str(body.get("message_id")))
    if target is None or not target.inbound or target.number.id != number.id:
        raise GraphError(131009, "Message id does not exist")
    typing = body.get("typing_indicator")
    if typing is not None and not (isinstance(typing, dict) and typing.get("type") == "text"):
        raise GraphError(131009, "typing_indicator.type must be text")
    for record in target.phone.records:
        if record.inbound and record.number.id == number.id and record.at <= target.at:
            record.seen = True
    if typing is not None:
        target.phone.typing_until[number.id] = now + TYPING_S
    world.live.touch(target.phone.key)
    return json_reply(SUCCESS)
