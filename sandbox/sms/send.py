"""POST /sms/{sender}/messages: takes an SMS as JSON, with the faults of the switches.

Order of the checks: storm, hang-up, token, shape, rate, number.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.graph.tokens import token_of
from sandbox.http import Reply, Request, json_reply
from sandbox.phones.book import Record
from sandbox.sms.senders import SmsSender
from sandbox.switches import Switches

if TYPE_CHECKING:
    from sandbox.world import World

Json = dict[str, Any]

LONGEST_TEXT = 2000
_SEPARATORS = str.maketrans("", "", " -().")
# HTTP status of an injected error -> the gateway's word for it.
_WORDS = {401: "unauthorized", 402: "no_credit", 404: "invalid_number", 429: "throttled", 503: "unavailable"}
_REPORTED = {"invalid_number": "rejected"}


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def handle(world: World, request: Request, sender_id: str) -> Reply:
    """Answer one call."""
    switches = world.board.for_number(sender_id)
    storm = switches.server_error
    if storm is not None and storm.strikes():
        status = storm.code if 500 <= storm.code <= 599 else 503
        return Reply(status, b"Service Unavailable", [("content-type", "text/plain")])
    if switches.drop_before is not None and switches.drop_before.strikes():
        return Reply(500, b"", drop=True)
    try:
        reply = _answer(world, request, sender_id, switches)
    except _Refused as refusal:
        world.ledger.reject(refusal.status)
        reply = json_reply({"error": {"code": refusal.code, "message": str(refusal)}}, refusal.status)
    reply.delay += switches.latency_ms / 1000
    return reply


def _answer(world: World, request: Request, sender_id: str, switches: Switches) -> Reply:
    if token_of(request) in world.tokens.dead:
        raise _Refused(401, "unauthorized", "the token is not valid any more")
    body = _parsed(request.body)
    text, digits = _text(body), _digits(body)
    fault = switches.sync_error
    if fault is not None and fault.strikes():
        status = fault.code if 400 <= fault.code <= 503 else 400
        raise _Refused(status, _WORDS.get(status, "rejected"), "injected by a switch")
    sender = world.sms_sender(sender_id, body)
    limit = switches.throughput_per_second
    if limit is not None and not sender.throughput.take(time.monotonic(), limit):
        raise _Refused(429, "throttled", "too many messages in this second")
    ending = digits[-2:] if switches.magic else ""
    reference = body.get("reference")
    opaque = reference if isinstance(reference, str) else None
    if ending == "98" and world.throttled.first_time(hash((sender_id, digits, opaque or text))):
        raise _Refused(429, "throttled", "try again")
    failure = _failure(switches, ending)
    if failure is not None and switches.failures == "sync":
        raise _Refused(404, failure, "the number cannot be reached")
    return _accept(world, sender, digits, text, opaque, failure, switches)


def _accept(
    world: World,
    sender: SmsSender,
    digits: str,
    text: str,
    opaque: str | None,
    failure: str | None,
    switches: Switches,
) -> Reply:
    phone, now = world.book.phone(digits), time.time()
    payload = orjson.dumps({"type": "text", "text": {"body": text}})
    record = Record(f"sms-{secrets.token_hex(10)}", phone, sender, "text", payload, now, inbound=False)
    record.opaque = opaque
    record.error = {"code": failure, "title": failure} if failure is not None else None
    world.book.add(record)
    world.ledger.accept(sender.id, digits, opaque, now)
    world.live.touch(phone.key)
    ending = digits[-2:] if switches.magic else ""
    delay = switches.slow_ms / 1000 if ending == "97" else 0.0
    drop = ending == "96" or (switches.drop_after is not None and switches.drop_after.strikes())
    world.statuses.plan(record, delay + switches.latency_ms / 1000)
    return Reply(202, orjson.dumps({"message_id": record.wamid, "status": "accepted"}), delay=delay, drop=drop)


def _failure(switches: Switches, ending: str) -> str | None:
    """What the report will say; None: it arrives."""
    if switches.async_error is not None and switches.async_error.strikes():
        return "rejected"
    return "invalid_number" if ending == "99" else None


def _parsed(raw: bytes) -> Json:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _Refused(400, "invalid_request", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise _Refused(400, "invalid_request", "the body must be a JSON object")
    return body


def _text(body: Json) -> str:
    text = body.get("text")
    if not isinstance(text, str) or not text or len(text) > LONGEST_TEXT:
        raise _Refused(400, "invalid_request", f"text must have 1 to {LONGEST_TEXT} characters")
    return text


def _digits(body: Json) -> str:
    to = body.get("to")
    digits = to.translate(_SEPARATORS).removeprefix("+") if isinstance(to, str) else ""
    if not (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15 and digits[0] != "0"):
        raise _Refused(400, "invalid_number", "to must be a number with its country code")
    return digits
