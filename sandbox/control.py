"""The calls that steer the sandbox: numbers, tokens, templates, switches, ledger, phones. Not part of Meta's API."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from sandbox.chat.pages import INSTAGRAM, MESSENGER
from sandbox.graph.template_rules import CATEGORIES
from sandbox.graph.tokens import EXPIRED, REVOKED
from sandbox.http import BadRequest, Reply, Request, json_object, json_reply
from sandbox.phones import customer, view
from sandbox.switches import SwitchError

if TYPE_CHECKING:
    from sandbox.world import World

Json = dict[str, Any]

TEMPLATE_EVENTS = ("APPROVED", "REJECTED", "PAUSED", "DISABLED", "FLAGGED", "PENDING_DELETION")
PHONES_SHOWN = 200
MESSAGES_SHOWN = 200


def handle(world: World, request: Request, parts: list[str]) -> Reply:
    """Answer a call below /_control; `parts` is the path after it."""
    try:
        return _answer(world, request, parts)
    except BadRequest as error:
        return json_reply({"error": str(error)}, error.status)
    except SwitchError as error:
        return json_reply({"error": str(error), "switch": error.name}, 400)


def _answer(world: World, request: Request, parts: list[str]) -> Reply:
    match request.method, parts:
        case "GET", ["health"]:
            return json_reply({"status": "ok", "pid": os.getpid(), "uptime_s": round(time.time() - world.started, 3)})
        case "POST", ["reset"]:
            world.reset()
            return json_reply({"status": "reset"})
        case "GET", ["switches"]:
            return json_reply(world.board.as_json())
        case "PUT", ["switches"]:
            world.board.change(json_object(request.body), request.query.get("phone_number_id") or None)
            return json_reply(world.board.as_json())
        case "GET", ["numbers"]:
            rows = [view.number_row(number) for number in world.accounts.numbers.values()]
            return json_reply({"numbers": rows + _other_senders(world)})
        case "POST", ["numbers"]:
            return _configure_number(world, json_object(request.body))
        case "POST", ["pages"]:
            return _configure_page(world, json_object(request.body))
        case "POST", ["senders"]:
            return _configure_sender(world, json_object(request.body))
        case "POST", ["tokens"]:
            return _token(world, json_object(request.body))
        case "POST", ["templates"]:
            return _template(world, json_object(request.body))
        case "GET", ["ledger"]:
            return _ledger(world, request)
        case "GET", ["ledger", "summary"]:
            return json_reply(world.ledger.summary())
        case "POST", ["ledger", "check"]:
            return _check(world, json_object(request.body))
        case "GET", ["webhooks"]:
            return json_reply({**world.poster.counters(), "planned": world.clock.waiting, "url": world.webhook_url})
        case "GET", ["phones"]:
            return _phones(world, request)
        case "GET", ["phones", key]:
            return _conversation(world, key)
        case "POST", ["phones", key, "reply"]:
            record = customer.reply(world, key, json_object(request.body))
            return json_reply(
                {
                    "id": record.wamid,
                    "phone_number_id": record.number.id,
                    "user_id": record.phone.bsuid,
                    "key": record.phone.key,
                }
            )
        case "POST", ["phones", key, "preferences"]:
            return _preferences(world, key, json_object(request.body))
    raise BadRequest("there is no such control call", 404)


def inbox(world: World, phone: str) -> Reply:
    """GET /inbox/{phone}."""
    return json_reply(view.inbox(world.book.known(phone)))


def _digits(body: Json, name: str) -> str:
    value = str(body.get(name, ""))
    if not (value.isascii() and value.isdigit() and 5 <= len(value) <= 20):
        raise BadRequest(f"{name} must be an id of 5 to 20 digits")
    return value


def _text(body: Json, name: str) -> str | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or not value.strip() or len(value) > 500):
        raise BadRequest(f"{name} must be text of 1 to 500 characters")
    return value


def _configure_number(world: World, body: Json) -> Reply:
    allowed = {"phone_number_id", "waba_id", "display_phone_number", "verified_name", "token", "registered"}
    if set(body) - allowed:
        raise BadRequest(f"only {', '.join(sorted(allowed))} can be given")
    display = _text(body, "display_phone_number")
    if display is not None and not 7 <= sum(map(str.isdigit, display)) <= 15:
        raise BadRequest("display_phone_number must have 7 to 15 digits")
    number = world.accounts.configure(
        _digits(body, "phone_number_id"), _digits(body, "waba_id"), display, _text(body, "verified_name")
    )
    token = _text(body, "token")
    if token is not None:
        world.tokens.allow(token, number.waba.id)
    if "registered" in body:
        if not isinstance(body["registered"], bool):
            raise BadRequest("registered must be true or false")
        number.registered = body["registered"]
    return json_reply(view.number_row(number), 201)


def _other_senders(world: World) -> list[dict[str, object]]:
    pages = [page.as_row() for page in world.pages.by_id.values()]
    return pages + [sender.as_row() for sender in world.senders.values()]


def _configure_sender(world: World, body: Json) -> Reply:
    """A sender of the SMS gateway, before its first message has made it known."""
    if set(body) - {"sender_id", "from", "callback_url"}:
        raise BadRequest("only sender_id, from, callback_url can be given")
    given = {name: _text(body, name) for name in ("from", "callback_url")}
    return json_reply(world.sms_sender(_digits(body, "sender_id"), given).as_row(), 201)


def _configure_page(world: World, body: Json) -> Reply:
    """A Facebook page, with the Instagram account that belongs to it, or an Instagram account alone."""
    if set(body) - {"page_id", "instagram_id", "name"} or not set(body) & {"page_id", "instagram_id"}:
        raise BadRequest("give page_id, instagram_id or both, and maybe name")
    name = _text(body, "name")
    rows = []
    if "page_id" in body:
        rows.append(world.pages.configure(_digits(body, "page_id"), MESSENGER, name).as_row())
    if "instagram_id" in body:
        rows.append(world.pages.configure(_digits(body, "instagram_id"), INSTAGRAM, name).as_row())
        if "page_id" in body:
            world.pages.accounts[_digits(body, "page_id")] = _digits(body, "instagram_id")
    return json_reply({"pages": rows}, 201)


def _token(world: World, body: Json) -> Reply:
    token, state = _text(body, "token"), body.get("state")
    if token is None:
        raise BadRequest("token is missing")
    if state == "valid":
        world.tokens.revive(token)
        if "expires_at" in body:
            world.tokens.ends[token] = int(_digits(body, "expires_at"))
        if "waba_id" in body:
            world.tokens.allow(token, _digits(body, "waba_id"))
    elif state in ("expired", "revoked"):
        world.tokens.kill(token, EXPIRED if state == "expired" else REVOKED)
    else:
        raise BadRequest("state must be valid, expired or revoked")
    return json_reply({"state": state})


def _template(world: World, body: Json) -> Reply:
    """Change a template as Meta would: a new status, or a new category."""
    template = world.templates.get(str(body.get("id")))
    if template is None:
        raise BadRequest("id is not the id of a known template", 404)
    event, category = body.get("event"), body.get("category")
    if category is not None:
        if category not in CATEGORIES:
            raise BadRequest(f"category must be one of {', '.join(CATEGORIES)}")
        world.template_category(template, category)
    if event is not None:
        if event not in TEMPLATE_EVENTS:
            raise BadRequest(f"event must be one of {', '.join(TEMPLATE_EVENTS)}")
        world.template_event(template, event, reason=_text(body, "reason") or "NONE")
    return json_reply(template.as_json())


def _ledger(world: World, request: Request) -> Reply:
    query = request.query
    number_id = query.get("phone_number_id") or None
    opaque = query.get("opaque")
    if opaque is not None:
        return json_reply({"sends": world.ledger.find(opaque, number_id)})
    raw = query.get("limit", "100")
    if not (raw.isascii() and raw.isdigit() and 1 <= int(raw) <= 200_000):
        raise BadRequest("limit must be a number from 1 to 200000")
    return json_reply({"sends": world.ledger.latest(number_id, int(raw))})


def _check(world: World, body: Json) -> Reply:
    """How often each of these ids was accepted, by times: for tests that compare thousands."""
    ids, number_id = body.get("opaque"), _digits(body, "phone_number_id")
    if not isinstance(ids, list) or len(ids) > 100_000 or not all(isinstance(item, str) for item in ids):
        raise BadRequest("opaque must be a list of up to 100000 ids")
    times = {opaque: len(world.ledger.find(opaque, number_id)) for opaque in ids}
    return json_reply(
        {
            "once": sum(count == 1 for count in times.values()),
            "missing": [opaque for opaque, count in times.items() if count == 0],
            "repeated": {opaque: count for opaque, count in times.items() if count > 1},
        }
    )


def _phones(world: World, request: Request) -> Reply:
    phones = view.latest_phones(world.book, PHONES_SHOWN, request.query.get("search", ""))
    return json_reply({"phones": phones, "total": len(world.book.phones)})


def _conversation(world: World, key: str) -> Reply:
    phone = world.book.known(key)
    if phone is None:
        raise BadRequest("there is no such phone", 404)
    return json_reply(view.conversation(phone, MESSAGES_SHOWN))


def _preferences(world: World, key: str, body: Json) -> Reply:
    """The customer stops or resumes marketing messages of a business."""
    phone = world.book.known(key)
    number = world.accounts.numbers.get(str(body.get("phone_number_id")))
    if phone is None or number is None:
        raise BadRequest("phone and phone_number_id must be known", 404)
    if body.get("value") not in ("stop", "resume"):
        raise BadRequest("value must be stop or resume")
    world.marketing_preference(phone, number, body["value"])
    return json_reply({"value": body["value"]})
