"""The dialog of Meta's embedded sign-up, simulated: a business gets a number, and the page that opened it a code."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from sandbox.graph.errors import GraphError
from sandbox.graph.identifiers import object_id
from sandbox.http import BadRequest, Reply, json_reply

if TYPE_CHECKING:
    from sandbox.world import World

CODE_SECONDS = 30.0
NUMBERS_MOST = 10


class Codes:
    """Codes that were given out and not used yet, and the accounts that each token was granted for."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[float, list[str]]] = {}
        self._used: set[str] = set()
        self.granted: dict[str, list[str]] = {}

    def give(self, wabas: list[str]) -> str:
        """A code for these accounts; it lives for 30 seconds and works once."""
        code = f"AQ{secrets.token_hex(24)}"
        self._open[code] = (time.monotonic() + CODE_SECONDS, wabas)
        return code

    def take(self, code: str, token: str) -> None:
        """Use a code up and grant its accounts to `token`. A code that the dialog never gave out passes unchanged."""
        if code in self._used:
            raise GraphError(100, message="This authorization code has been used.", subcode=36009, bare=True)
        entry = self._open.pop(code, None)
        if entry is None:
            return
        self._used.add(code)
        if entry[0] < time.monotonic():
            raise GraphError(100, message="This authorization code has expired.", subcode=36007, bare=True)
        self.granted[token] = entry[1]


def finish(world: World, body: dict[str, Any]) -> Reply:
    """POST /dialog/signup: the person has filled in the dialog; makes account and numbers and answers with the code.

    `{name, numbers: [display number], coexistence}` -> `{code, waba_id, phone_number_id}`; the number's id is missing
    when there are several, as Meta leaves it out for accounts.
    """
    name = body.get("name")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 120:
        raise BadRequest("name must have 1 to 120 characters")
    numbers = body.get("numbers")
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= NUMBERS_MOST:
        raise BadRequest(f"numbers must be a list of 1 to {NUMBERS_MOST}")
    digits = ["".join(filter(str.isdigit, str(number))) for number in numbers]
    if any(not 7 <= len(text) <= 15 for text in digits):
        raise BadRequest("each number must have 7 to 15 digits")
    waba_id = object_id("98")
    made = []
    for text in digits:
        number = world.accounts.configure(object_id("51"), waba_id, text, name.strip())
        number.on_phone_app = body.get("coexistence") is True
        number.registered = number.on_phone_app
        made.append(number)
    waba = world.accounts.waba(waba_id)
    waba.name = name.strip()
    # Webhooks come only after the app has subscribed.
    waba.subscribed = False
    answer = {"code": world.codes.give([waba_id]), "waba_id": waba_id, "business_id": object_id("70")}
    if len(made) == 1:
        answer["phone_number_id"] = made[0].id
    return json_reply(answer)
