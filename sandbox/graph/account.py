"""Business accounts (WABAs) and their phone numbers, as objects and as REST routes."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

from pyreqwest.exceptions import PyreqwestError

from sandbox.graph.errors import GraphError, required, unknown_object
from sandbox.graph.identifiers import display_for, formatted
from sandbox.graph.limits import PairRate, SlidingWindow
from sandbox.http import Reply, json_reply
from sandbox.webhooks.encoding import quoted

if TYPE_CHECKING:
    from sandbox.graph.templates import Template
    from sandbox.world import World

SUCCESS: dict[str, object] = {"success": True}

REGISTER_LIMIT = 10
REGISTER_SPAN_S = 72 * 3600.0
CALLBACK_LENGTH = 200


class Waba:
    """A business account: its templates, its app subscription, its count of management calls."""

    def __init__(self, waba_id: str) -> None:
        self.id = waba_id
        self.name = f"Sandbox account {waba_id[-4:]}"
        self.subscribed = True
        self.override: str | None = None
        self.templates: dict[tuple[str, str], Template] = {}
        self.calls = SlidingWindow(3600.0)


class Number:
    """A business phone number. `assumed` marks one that appeared by use: its WABA is a guess until proven."""

    def __init__(self, number_id: str, waba: Waba, display: str, verified_name: str, *, assumed: bool) -> None:
        self.id = number_id
        self.waba = waba
        self.display = display
        self.verified_name = verified_name
        self.assumed = assumed
        self.registered = True
        # Coexistence: the number stays on the WhatsApp Business app of a phone.
        self.on_phone_app = False
        self.pin: str | None = None
        self.override: str | None = None
        self.throughput = SlidingWindow(1.0)
        self.pairs = PairRate()
        self.registrations = SlidingWindow(REGISTER_SPAN_S)
        # The part of every webhook value that names the number, ready to be pasted; see Update.group.
        self.metadata = f'"metadata":{{"display_phone_number":{quoted(display)},"phone_number_id":{quoted(number_id)}}}'

    def as_json(self) -> dict[str, object]:
        """The node as GET shows it."""
        shown: dict[str, object] = {
            "verified_name": self.verified_name,
            "code_verification_status": "VERIFIED",
            "display_phone_number": formatted(self.display),
            "quality_rating": "GREEN",
            "platform_type": "CLOUD_API",
            "status": "CONNECTED" if self.registered else "DISCONNECTED",
            "throughput": {"level": "STANDARD"},
            "id": self.id,
        }
        if self.on_phone_app:
            shown["is_on_biz_app"] = True
        return shown


class Accounts:
    """All WABAs and numbers. Numeric ids that nobody configured come into being on first use."""

    def __init__(self) -> None:
        self.wabas: dict[str, Waba] = {}
        self.numbers: dict[str, Number] = {}

    def waba(self, waba_id: str) -> Waba:
        found = self.wabas.get(waba_id)
        if found is None:
            found = self.wabas[waba_id] = Waba(waba_id)
        return found

    def configure(
        self, number_id: str, waba_id: str, display: str | None = None, verified_name: str | None = None
    ) -> Number:
        """Create or change a number by configuration."""
        old = self.numbers.get(number_id)
        digits = "".join(filter(str.isdigit, display or "")) or (old.display if old else display_for(number_id))
        name = verified_name or (old.verified_name if old else f"Business {number_id[-4:]}")
        number = Number(number_id, self.waba(waba_id), digits, name, assumed=False)
        if old is not None:
            number.registered, number.pin, number.override = old.registered, old.pin, old.override
            number.on_phone_app = old.on_phone_app
        self.numbers[number_id] = number
        return number

    def assume(self, number_id: str) -> Number:
        """Create a number that was addressed without having been configured."""
        guessed = "9" + str(int.from_bytes(hashlib.blake2b(number_id.encode(), digest_size=8).digest(), "big"))[:14]
        number = Number(
            number_id, self.waba(guessed), display_for(number_id), f"Business {number_id[-4:]}", assumed=True
        )
        self.numbers[number_id] = number
        return number

    def adopt(self, number: Number, waba: Waba) -> None:
        """An assumed number turned out to belong to this WABA."""
        if number.waba is not waba:
            if not number.waba.templates and not self.of_waba(number.waba, except_for=number):
                self.wabas.pop(number.waba.id, None)
            number.waba = waba

    def of_waba(self, waba: Waba, *, except_for: Number | None = None) -> list[Number]:
        return [number for number in self.numbers.values() if number.waba is waba and number is not except_for]


def list_numbers(world: World, waba: Waba) -> Reply:
    """GET /{waba}/phone_numbers."""
    data = [number.as_json() for number in world.accounts.of_waba(waba)]
    if not data:
        return json_reply({"data": []})
    return json_reply({"data": data, "paging": {"cursors": {"before": "QVFIUzEA", "after": "QVFIUzIA"}}})


def register(number: Number, body: dict[str, Any]) -> Reply:
    """POST /{number}/register: sets the two-step pin the first time, compares it later."""
    if body.get("messaging_product") != "whatsapp":
        raise required("messaging_product")
    pin = body.get("pin")
    if not isinstance(pin, str):
        raise required("pin")
    if not (len(pin) == 6 and pin.isascii() and pin.isdigit()):
        raise GraphError(100, "pin must be 6 digits")
    if not number.registrations.take(time.time(), REGISTER_LIMIT):
        raise GraphError(133016)
    if number.pin is not None and not secrets.compare_digest(number.pin, pin):
        raise GraphError(133005)
    number.pin = pin
    number.registered = True
    return json_reply(SUCCESS)


def deregister(number: Number) -> Reply:
    """POST /{number}/deregister."""
    if not number.registrations.take(time.time(), REGISTER_LIMIT):
        raise GraphError(133016)
    if not number.registered:
        raise GraphError(133010)
    number.registered = False
    return json_reply(SUCCESS)


def subscribed_apps(world: World, waba: Waba) -> Reply:
    """GET /{waba}/subscribed_apps."""
    if not waba.subscribed:
        return json_reply({"data": []})
    app_id = world.config.app_id
    data = {"id": app_id, "name": "Sandbox", "link": f"https://www.facebook.com/games/?app_id={app_id}"}
    item: dict[str, object] = {"whatsapp_business_api_data": data}
    if waba.override:
        item["override_callback_uri"] = waba.override
    return json_reply({"data": [item]})


async def subscribe(world: World, waba: Waba, body: dict[str, Any]) -> Reply:
    """POST /{waba}/subscribed_apps: an empty body removes an override."""
    override = await checked_callback(world, body.get("override_callback_uri"), body.get("verify_token"))
    waba.subscribed = True
    waba.override = override
    return json_reply(SUCCESS)


def unsubscribe(waba: Waba) -> Reply:
    """DELETE /{waba}/subscribed_apps: no webhooks any more."""
    waba.subscribed = False
    waba.override = None
    return json_reply(SUCCESS)


async def configure_number(world: World, number: Number, body: dict[str, Any]) -> Reply:
    """POST /{number} with webhook_configuration: the number's own callback; an empty one removes it."""
    wanted = body.get("webhook_configuration")
    if not isinstance(wanted, dict):
        raise required("webhook_configuration")
    number.override = await checked_callback(world, wanted.get("override_callback_uri"), wanted.get("verify_token"))
    return json_reply(SUCCESS)


async def subscribe_app(world: World, app_id: str, values: dict[str, Any]) -> Reply:
    """POST /{app_id}/subscriptions: the app's callback, for everything without an override."""
    if app_id != world.config.app_id:
        raise unknown_object(app_id, "POST")
    for name in ("object", "callback_url", "verify_token"):
        if not values.get(name):
            raise required(name)
    if values["object"] != "whatsapp_business_account":
        raise GraphError(100, "object must be whatsapp_business_account")
    callback = await checked_callback(world, values["callback_url"], values["verify_token"])
    world.webhook_url = callback or world.config.webhook_url
    return json_reply(SUCCESS)


async def checked_callback(world: World, url: object, token: object) -> str | None:
    """The callback address after asking it for the challenge, as Meta does. None when no address is given."""
    if not url:
        return None
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > CALLBACK_LENGTH:
        raise GraphError(100, f"override_callback_uri must be a URL of at most {CALLBACK_LENGTH} characters")
    if not isinstance(token, str) or not token:
        raise required("verify_token")
    if world.board.common.verify_callbacks:
        await _challenge(world, url, token)
    return url


async def _challenge(world: World, url: str, token: str) -> None:
    challenge = str(secrets.randbelow(10**10))
    client = world.poster.client
    if client is None:
        raise RuntimeError("the poster is not open")
    query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}
    try:
        response = await client.get(url).query(query).timeout(world.callback_timeout).build().send()
        answer = (await response.bytes()).to_bytes()[: len(challenge) + 1]
        problem = "" if response.status == 200 and answer == challenge.encode() else f"HTTP status {response.status}"
    except PyreqwestError as error:
        problem = type(error).__name__
    if problem:
        raise GraphError(
            2200,
            message=f"(#2200) Callback verification failed with the following errors: {problem}, or a wrong challenge.",
            bare=True,
        )
