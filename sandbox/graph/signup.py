"""Meta's log-in dialogs, simulated: a business allows numbers or pages, and the page that opened it gets a code."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.chat.pages import INSTAGRAM, MESSENGER
from sandbox.graph.errors import GraphError
from sandbox.graph.identifiers import object_id
from sandbox.http import BadRequest, Reply, json_reply

if TYPE_CHECKING:
    from sandbox.world import World

CODE_SECONDS = 30.0
NUMBERS_MOST = 10
PAGES_MOST = 10


@dataclass(frozen=True, slots=True)
class Grant:
    """What a business has allowed in the dialog."""

    wabas: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()


class Codes:
    """Codes that were given out and not used yet, and what each token was granted for."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[float, Grant]] = {}
        self._used: set[str] = set()
        self.granted: dict[str, Grant] = {}

    def give(self, grant: Grant) -> str:
        """A code for what was allowed; it lives for 30 seconds and works once."""
        code = f"AQ{secrets.token_hex(24)}"
        self._open[code] = (time.monotonic() + CODE_SECONDS, grant)
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
    """POST /dialog/signup: the person has filled in the dialog; makes what it is about and answers with the code.

    `{name, numbers: [display number], coexistence}` -> `{code, waba_id, phone_number_id}`; the number's id is missing
    when there are several, as Meta leaves it out for accounts. `{pages: [{name, instagram}]}` -> `{code}`: `instagram`
    is the user name of the page's account, or missing; Meta's dialog for pages reports nothing but the code.
    """
    if "pages" in body:
        return _finish_pages(world, body["pages"])
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
    answer = {"code": world.codes.give(Grant(wabas=(waba_id,))), "waba_id": waba_id, "business_id": object_id("70")}
    if len(made) == 1:
        answer["phone_number_id"] = made[0].id
    return json_reply(answer)


def _finish_pages(world: World, pages: Any) -> Reply:
    if not isinstance(pages, list) or not 1 <= len(pages) <= PAGES_MOST:
        raise BadRequest(f"pages must be a list of 1 to {PAGES_MOST}")
    for page in pages:
        names = [page.get("name"), page.get("instagram") or "none"] if isinstance(page, dict) else [None]
        if not all(isinstance(name, str) and 1 <= len(name.strip()) <= 75 for name in names):
            raise BadRequest("each page must have a name, and maybe instagram, of 1 to 75 characters")
    made = []
    for page in pages:
        page_id = object_id("30")
        # Webhooks come only after the app has subscribed.
        world.pages.configure(page_id, MESSENGER, page["name"].strip()).subscribed = False
        if page.get("instagram"):
            account = world.pages.configure(object_id("17"), INSTAGRAM, page["instagram"].strip().lstrip("@"))
            account.subscribed = False
            world.pages.accounts[page_id] = account.id
        made.append(page_id)
    return json_reply({"code": world.codes.give(Grant(pages=tuple(made)))})
