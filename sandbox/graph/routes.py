"""Every Graph route but the sending of messages: who may call it, and what carries it out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from sandbox.chat.pages import INSTAGRAM, MESSENGER, PRODUCTS
from sandbox.graph import account, media, templates, tokens
from sandbox.graph.account import Number, Waba
from sandbox.graph.errors import GraphError, unknown_object
from sandbox.http import Reply, Request, json_reply

if TYPE_CHECKING:
    from sandbox.world import World

Json = dict[str, Any]

NUMBER_EDGES = ("media", "register", "deregister")
WABA_EDGES = ("message_templates", "phone_numbers", "subscribed_apps")


async def handle(world: World, request: Request, parts: list[str]) -> Reply:
    """Answer a call whose path (without version) has these parts."""
    switches = world.board.common
    try:
        reply = await _answer(world, request, parts)
    except GraphError as error:
        reply = error.reply()
    reply.delay += switches.latency_ms / 1000
    return reply


async def _answer(world: World, request: Request, parts: list[str]) -> Reply:
    match parts:
        case ["oauth", "access_token"] if request.method == "GET":
            return tokens.exchange_code(world, request)
        case ["debug_token"] if request.method == "GET":
            return tokens.debug_token(world, request)
        case ["refresh_access_token"] if request.method == "GET":
            return tokens.refresh_token(world, request)
        case [app_id, "subscriptions"] if request.method == "POST":
            return await _app_subscription(world, request, app_id)
    token = tokens.token_of(request)
    world.tokens.check(token)
    match parts:
        case ["me", "accounts"] if request.method == "GET":
            return _pages(world, token)
        case [number_id, edge] if edge in NUMBER_EDGES and request.method == "POST":
            number = tokens.number_for(world, number_id, token, request.method)
            if number is None:
                raise unknown_object(number_id, request.method)
            return _number_edge(world, request, number, edge)
        case [page_id, "subscribed_apps"] if page_id in world.pages.by_id:
            return _page_subscription(world, request, page_id)
        case [waba_id, edge] if edge in WABA_EDGES:
            waba = _waba(world, waba_id, token, request.method)
            reply = await _waba_edge(world, request, waba, edge)
            reply.headers = [*reply.headers, ("x-business-use-case-usage", _usage(world, waba))]
            return reply
        case [object_id]:
            return await _node(world, request, object_id, token)
    raise GraphError(
        2500, message=f"Unknown path components: /{'/'.join(parts[1:])[:200]}", bare=True, kind="OAuthException"
    )


async def _app_subscription(world: World, request: Request, app_id: str) -> Reply:
    token = tokens.token_of(request)
    if not tokens.is_app_token(world, token):
        raise GraphError(190, message="This method must be called with an app access token.", bare=True)
    return await account.subscribe_app(world, app_id, {**request.query, **_values(request)})


def _number_edge(world: World, request: Request, number: Number, edge: str) -> Reply:
    if edge == "media":
        return media.upload(world, number, request)
    if edge == "register":
        return account.register(number, _values(request))
    return account.deregister(number)


def _waba(world: World, waba_id: str, token: str, method: str) -> Waba:
    known = world.accounts.wabas.get(waba_id)
    if known is None:
        usable = waba_id.isascii() and waba_id.isdigit() and 5 <= len(waba_id) <= 20
        if not usable or world.board.common.strict or not token.startswith(tokens.SANDBOX_PREFIX):
            raise unknown_object(waba_id, method)
        known = world.accounts.waba(waba_id)
    if not world.tokens.may_use(token, known):
        raise unknown_object(waba_id, method)
    limit = world.board.common.management_per_hour
    if not known.calls.take(time.monotonic(), limit or 1_000_000):
        raise GraphError(80007)
    return known


def _usage(world: World, waba: Waba) -> str:
    limit = world.board.common.management_per_hour or 5000
    percent = min(100, waba.calls.used(time.monotonic()) * 100 // limit)
    entry = {
        "type": "whatsapp_business_management",
        "call_count": percent,
        "total_cputime": 1,
        "total_time": 1,
        "estimated_time_to_regain_access": 60 if percent >= 100 else 0,
    }
    return orjson.dumps({waba.id: [entry]}).decode()


async def _waba_edge(world: World, request: Request, waba: Waba, edge: str) -> Reply:
    match edge, request.method:
        case "message_templates", "GET":
            return templates.listing(world, waba, request)
        case "message_templates", "POST":
            return templates.create(world, waba, _values(request))
        case "message_templates", "DELETE":
            return templates.delete(world, waba, request)
        case "phone_numbers", "GET":
            return account.list_numbers(world, waba)
        case "subscribed_apps", "GET":
            return account.subscribed_apps(world, waba)
        case "subscribed_apps", "POST":
            return await account.subscribe(world, waba, _values(request))
        case "subscribed_apps", "DELETE":
            return account.unsubscribe(waba)
    raise unknown_object(waba.id, request.method)


async def _node(world: World, request: Request, object_id: str, token: str) -> Reply:
    method = request.method
    template = world.templates.get(object_id)
    if template is not None and world.tokens.may_use(token, template.waba):
        if method == "GET":
            return templates.show(template, request)
        if method == "POST":
            return templates.edit(world, template, _values(request))
    file = world.media.files.get(object_id)
    if file is not None and world.tokens.may_use(token, world.accounts.waba(file.waba_id)):
        if method == "GET":
            return media.show(world, file, request)
        if method == "DELETE":
            return media.delete(world, file)
    waba = world.accounts.wabas.get(object_id)
    if waba is not None and method == "GET" and world.tokens.may_use(token, waba):
        return json_reply({"id": waba.id, "name": waba.name})
    page = world.pages.get(object_id)
    if page is not None and method == "GET":
        return json_reply({"id": page.id, page.product.name_field: page.verified_name})
    profile = _profile(world, object_id) if method == "GET" else None
    if profile is not None:
        return json_reply(profile)
    number = tokens.number_for(world, object_id, token, method) if _may_be_number(world, object_id) else None
    if number is not None and method == "GET":
        return json_reply(number.as_json())
    if number is not None and method == "POST":
        return await account.configure_number(world, number, _values(request))
    raise unknown_object(object_id, method)


def _pages(world: World, token: str) -> Reply:
    """GET /me/accounts: the pages that the person behind the token has allowed, each with a token of its own."""
    grant = world.codes.granted.get(token)
    known = [page.id for page in world.pages.by_id.values() if page.product.name == MESSENGER]
    rows: list[Json] = []
    for page_id in known if grant is None else grant.pages:
        row: Json = {"id": page_id, "name": world.pages.by_id[page_id].verified_name}
        row["access_token"] = f"{tokens.SANDBOX_PREFIX}-page-{page_id}"
        account_id = world.pages.accounts.get(page_id)
        if account_id is not None:
            name = world.pages.by_id[account_id].verified_name
            row["instagram_business_account"] = {"id": account_id, "username": name}
        rows.append(row)
    return json_reply({"data": rows})


def _page_subscription(world: World, request: Request, page_id: str) -> Reply:
    """Pages name the fields that they subscribe to; without any it is an error."""
    page = world.pages.by_id[page_id]
    # An Instagram account has no subscription of its own: its page's counts.
    account_id = world.pages.accounts.get(page_id)
    both = [page] if account_id is None else [page, world.pages.by_id[account_id]]
    if request.method == "DELETE":
        for one in both:
            one.subscribed = False
    elif request.method == "POST":
        fields = request.query.get("subscribed_fields") or _values(request).get("subscribed_fields")
        if not fields:
            raise GraphError(100, message="(#100) The parameter subscribed_fields is required.", bare=True)
        for one in both:
            one.subscribed = True
    else:
        app = {"id": world.config.app_id, "name": "Sandbox"}
        return json_reply({"data": [app] if page.subscribed else []})
    return json_reply(account.SUCCESS)


def _profile(world: World, user_id: str) -> Json | None:
    """What a page may know of a person who has written to it."""
    for product in PRODUCTS.values():
        phone = world.book.known(product.prefix + user_id)
        if phone is not None:
            first, _, last = phone.name.partition(" ")
            names = {"username": phone.name.replace(" ", ".").lower()} if product.name == INSTAGRAM else {}
            return {"id": user_id, "name": phone.name, "first_name": first, "last_name": last, **names}
    return None


def _may_be_number(world: World, object_id: str) -> bool:
    """Ids of templates and media have 16 digits and known beginnings; a gone one must not come back as a number."""
    if object_id in world.accounts.numbers:
        return True
    return not (len(object_id) == 16 and object_id.startswith(("14", "20")))


def _values(request: Request) -> Json:
    """The parameters of a POST: a JSON object or a form."""
    if not request.body:
        return {}
    kind: str = request.headers.get("content-type") or ""
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise GraphError(100, "The request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise GraphError(100, "The request body must be a JSON object")
    return value
