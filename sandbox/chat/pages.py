"""Facebook pages and Instagram accounts as senders; they take the place of a phone number in a conversation."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.graph.errors import GraphError, unknown_object
from sandbox.graph.limits import SlidingWindow
from sandbox.phones.book import Phone

if TYPE_CHECKING:
    from sandbox.world import World

MESSENGER, INSTAGRAM = "messenger", "instagram"


@dataclass(frozen=True, slots=True)
class Product:
    """What differs between the two: `prefix` marks the people's ids, `object` the webhooks."""

    name: str
    label: str
    object: str
    prefix: str
    window_subcode: int
    no_user_subcode: int
    error_type: str
    name_field: str


PRODUCTS = {
    MESSENGER: Product(MESSENGER, "Messenger", "page", "psid:", 2018278, 2018001, "OAuthException", "name"),
    INSTAGRAM: Product(INSTAGRAM, "Instagram", "instagram", "igsid:", 2534022, 2534014, "IGApiException", "username"),
}


class Page:
    """One page or account. It is its own account: `subscribed` and `override` belong to it."""

    def __init__(self, page_id: str, product: Product, name: str) -> None:
        self.id = page_id
        self.product = product
        self.verified_name = name
        self.display = name
        self.subscribed = True
        self.override: str | None = None
        self.throughput = SlidingWindow(1.0)
        self.waba = self

    def as_row(self) -> dict[str, object]:
        """A row in the list of senders that the page with the phones shows."""
        return {
            "phone_number_id": self.id,
            "waba_id": "",
            "display_phone_number": self.product.label,
            "verified_name": self.verified_name,
            "assumed": False,
            "registered": True,
        }

    def new_mid(self) -> str:
        """A message id in the product's form."""
        if self.product.name == MESSENGER:
            return "m_" + secrets.token_urlsafe(48)
        return base64.b64encode(b"ig_dm_item:" + secrets.token_bytes(60)).decode("ascii").rstrip("=")


class Pages:
    """All pages and accounts by id. Those that nobody configured come into being on first use."""

    def __init__(self) -> None:
        self.by_id: dict[str, Page] = {}
        # Id of a page -> id of the Instagram account that belongs to it.
        self.accounts: dict[str, str] = {}

    def get(self, page_id: str) -> Page | None:
        return self.by_id.get(page_id)

    def configure(self, page_id: str, product: str, name: str | None) -> Page:
        """Create or rename a page or account."""
        known = self.by_id.get(page_id)
        label = PRODUCTS[product].label
        page = Page(page_id, PRODUCTS[product], name or f"{label} {page_id[-4:]}")
        if known is not None and known.product is page.product:
            page.subscribed, page.override = known.subscribed, known.override
        self.by_id[page_id] = page
        return page

    def sender(self, world: World, path_id: str, product: str) -> Page:
        """Who sends: the path's page, its Instagram account, or the only one for "me"."""
        if path_id == "me":
            found = [page for page in self.by_id.values() if page.product.name == product]
            if len(found) != 1:
                raise GraphError(100, "The token belongs to no page, or the sandbox knows several", bare=True)
            return found[0]
        if product == INSTAGRAM:
            path_id = self.accounts.get(path_id, path_id)
        known = self.by_id.get(path_id)
        if known is not None and known.product.name == product:
            return known
        usable = path_id.isascii() and path_id.isdigit() and 5 <= len(path_id) <= 20
        if known is not None or not usable or world.board.common.strict:
            raise unknown_object(path_id, "POST")
        return self.configure(path_id, product, None)


def person(world: World, page: Page, user_id: str) -> Phone:
    """The person with this page-scoped id."""
    key = page.product.prefix + user_id
    is_new = world.book.known(key) is None
    phone = world.book.phone(key)
    if is_new:
        phone.name = f"{page.product.label} user {user_id[-4:]}"
    return phone


def user_id_of(phone: Phone) -> str:
    """The page-scoped id of a person, without our prefix."""
    return phone.key.partition(":")[2]
