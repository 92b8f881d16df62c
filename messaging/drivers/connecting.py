"""What a driver offers when a business can connect its own addresses: find them, subscribe, register."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from messaging.drivers.base import HttpRequest, HttpResponse

# Which of the provider's log-in dialogs leads to the address; each is a configuration of its own at the provider.
Dialog = Literal["whatsapp", "pages"]
WHATSAPP_DIALOG: Final[Dialog] = "whatsapp"
PAGES_DIALOG: Final[Dialog] = "pages"


@dataclass(frozen=True, slots=True)
class Access:
    """Where to ask and with which token; no channel exists yet."""

    base_url: str
    version: str
    token: str


@dataclass(frozen=True, slots=True)
class Found:
    """An address that the token opens. `address` as customers see it: E.164 digits, or "" when it is no number.

    `token` is its own token, "" when the one that found it serves. `needs_registration`: it sends only after a
    registration with a pin; numbers that stay on a phone app (coexistence) never do.
    """

    external_id: str
    account_id: str
    address: str
    name: str
    quality: str = ""
    token: str = ""
    needs_registration: bool = False


class ConnectDriver(ABC):
    """The part of a driver whose addresses are connected with a token that the business has granted."""

    # What the token must allow; named to the person when one is missing.
    connect_scopes: ClassVar[tuple[str, ...]]
    # The dialog with which the hosted setup page connects it; None: it is connected with a token only.
    signup_dialog: ClassVar[Dialog | None] = None
    # Whether an address is its own account, as a page is; others belong to one with an id of its own.
    is_own_account: ClassVar[bool] = False

    @abstractmethod
    def accounts_granted(self, targets: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
        """The accounts that a token opens, the newest first. `targets`: scope -> ids, as the provider says."""

    @abstractmethod
    def build_lookup(self, access: Access, external_id: str) -> HttpRequest:
        """The request that asks for one address."""

    @abstractmethod
    def read_lookup(self, response: HttpResponse) -> Found:
        """The address; its `account_id` may be unknown (""). Raises `SendError` or `Ambiguous`."""

    @abstractmethod
    def build_addresses(self, access: Access, account_id: str) -> HttpRequest:
        """The request for the addresses of one account."""

    @abstractmethod
    def read_addresses(self, response: HttpResponse, account_id: str) -> tuple[Found, ...]:
        """Raises `SendError` or `Ambiguous`."""

    @abstractmethod
    def build_subscribe(self, access: Access, found: Found) -> HttpRequest:
        """The request after which the provider sends us webhooks about the address."""

    @abstractmethod
    def build_register(self, access: Access, found: Found, pin: str) -> HttpRequest:
        """The request that registers the address for sending; `pin` has six digits."""

    @abstractmethod
    def read_done(self, response: HttpResponse) -> None:
        """Read the answer to either. Raises `SendError` or `Ambiguous` when it was not done."""
