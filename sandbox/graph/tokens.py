"""Access tokens: which are valid for what, the sign-up exchange and the token debugger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sandbox.graph.errors import GraphError, required
from sandbox.http import Reply, Request, json_reply

if TYPE_CHECKING:
    from sandbox.graph.account import Number, Waba
    from sandbox.world import World

SANDBOX_PREFIX = "sandbox"
SCOPES = ["whatsapp_business_management", "whatsapp_business_messaging"]
PAGE_SCOPES = [
    *("pages_show_list", "pages_manage_metadata", "pages_messaging"),
    *("instagram_basic", "instagram_manage_messages"),
]
EXPIRED, REVOKED = 463, 460
# Instagram's own login, in seconds.
REFRESH_AGE, REFRESHED_LIFE = 86_400, 5_184_000


class Tokens:
    """Tokens that start with `sandbox` open everything; those configured for a number open its WABA only."""

    def __init__(self) -> None:
        self.wabas_of: dict[str, set[str]] = {}
        self.dead: dict[str, int] = {}
        self.issued: dict[str, int] = {}
        # Token -> when it ends; those that are not here never do.
        self.ends: dict[str, int] = {}
        self.count = 0

    def allow(self, token: str, waba_id: str) -> None:
        self.wabas_of.setdefault(token, set()).add(waba_id)

    def kill(self, token: str, subcode: int) -> None:
        """From now on the token is answered with 190 and this subcode."""
        self.dead[token] = subcode

    def revive(self, token: str) -> None:
        self.dead.pop(token, None)

    def valid(self, token: str) -> bool:
        known = token.startswith(SANDBOX_PREFIX) or token in self.wabas_of
        return known and token not in self.dead and self.ends.get(token, time.time() + 1) > time.time()

    def check(self, token: str) -> None:
        """Raises the error that Meta gives for a missing, unknown, expired or revoked token."""
        if not token:
            raise GraphError(200)
        subcode = self.dead.get(token, EXPIRED if self.ends.get(token, time.time() + 1) <= time.time() else None)
        if subcode == EXPIRED:
            moment = time.strftime("%A, %d-%b-%y %H:%M:%S UTC", time.gmtime())
            raise GraphError(
                190, message=f"Error validating access token: Session has expired on {moment}.", subcode=EXPIRED
            )
        if subcode is not None:
            raise GraphError(
                190, message="Error validating access token: The session has been invalidated.", subcode=subcode
            )
        if not (token.startswith(SANDBOX_PREFIX) or token in self.wabas_of):
            raise GraphError(0)

    def may_use(self, token: str, waba: Waba) -> bool:
        return token.startswith(SANDBOX_PREFIX) or waba.id in self.wabas_of.get(token, ())


def token_of(request: Request) -> str:
    """The token in the header or the query; never one in a body."""
    header: str = request.headers.get("authorization") or ""
    if header[:7].lower() == "bearer ":
        return header[7:].strip()
    return request.query.get("access_token", "") if request.query_string else ""


def is_app_token(world: World, token: str) -> bool:
    """`APPID|SECRET`."""
    return unquote(token) == f"{world.config.app_id}|{world.config.app_secret}"


def exchange_code(world: World, request: Request) -> Reply:
    """GET /oauth/access_token: the code of the embedded sign-up becomes a business token."""
    query = request.query
    if query.get("client_id") != world.config.app_id:
        raise GraphError(101, message="Error validating application. Cannot get application info.", bare=True)
    if query.get("client_secret") != world.config.app_secret:
        raise GraphError(1, message="Error validating client secret.", bare=True)
    code = query.get("code", "")
    if not code:
        raise required("code")
    token = f"{SANDBOX_PREFIX}-{code}"
    world.codes.take(code, token)
    world.tokens.issued[token] = int(time.time())
    return json_reply({"access_token": token, "token_type": "bearer"})


def refresh_token(world: World, request: Request) -> Reply:
    """GET /refresh_access_token of Instagram's own login: a token that is a day old becomes one of 60 days."""
    query = request.query
    if query.get("grant_type") != "ig_refresh_token":
        raise GraphError(100, message="Invalid parameter: grant_type", bare=True)
    token = query.get("access_token", "")
    world.tokens.check(token)
    now = int(time.time())
    if now - world.tokens.issued.get(token, 0) < REFRESH_AGE:
        raise GraphError(100, message="The access token must be at least 24 hours old to be refreshed.", bare=True)
    world.tokens.count += 1
    fresh = f"{SANDBOX_PREFIX}-ig-{world.tokens.count}-{now}"
    world.tokens.issued[fresh], world.tokens.ends[fresh] = now, now + REFRESHED_LIFE
    return json_reply({"access_token": fresh, "token_type": "bearer", "expires_in": REFRESHED_LIFE})


def debug_token(world: World, request: Request) -> Reply:
    """GET /debug_token; an invalid token is answered with 200 and is_valid false."""
    caller = token_of(request)
    if not is_app_token(world, caller):
        world.tokens.check(caller)
    token = request.query.get("input_token", "")
    if not token:
        raise required("input_token")
    if not world.tokens.valid(token):
        subcode = world.tokens.dead.get(token, REVOKED)
        text = "Error validating access token: The session has been invalidated."
        return json_reply(
            {"data": {"error": {"code": 190, "message": text, "subcode": subcode}, "is_valid": False, "scopes": []}}
        )
    grant = world.codes.granted.get(token)
    ids, scopes = _visible_wabas(world, token), SCOPES
    if grant is not None and grant.pages:
        ids, scopes = list(grant.pages), PAGE_SCOPES
    data = {
        "app_id": world.config.app_id,
        "type": "SYSTEM_USER",
        "application": "Sandbox",
        "data_access_expires_at": 0,
        "expires_at": world.tokens.ends.get(token, 0),
        "is_valid": True,
        "issued_at": world.tokens.issued.get(token, int(world.started)),
        "scopes": scopes,
        "granular_scopes": [{"scope": scope, "target_ids": ids} for scope in scopes],
        "user_id": "122100998877665",
    }
    return json_reply({"data": data})


def _visible_wabas(world: World, token: str) -> list[str]:
    """The WABAs that a token opens, newest first."""
    if token in world.codes.granted:
        return list(world.codes.granted[token].wabas)
    return [waba.id for waba in reversed(world.accounts.wabas.values()) if world.tokens.may_use(token, waba)]


def number_for(world: World, number_id: str, token: str, method: str) -> Number | None:
    """The number, when it exists and the token opens it; an unknown one comes into being for sandbox tokens."""
    number = world.accounts.numbers.get(number_id)
    if number is None:
        usable = number_id.isascii() and number_id.isdigit() and 5 <= len(number_id) <= 20
        if not usable or world.board.common.strict or not token.startswith(SANDBOX_PREFIX):
            return None
        return world.accounts.assume(number_id)
    return number if world.tokens.may_use(token, number.waba) else None
