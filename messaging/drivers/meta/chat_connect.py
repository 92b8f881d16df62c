"""Connecting a page or its Instagram account: its facts, the pages that a token opens, the app's subscription."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

import orjson

from messaging.drivers.base import Ambiguous, HttpRequest, HttpResponse
from messaging.drivers.connecting import PAGES_DIALOG, Access, ConnectDriver, Dialog, Found
from messaging.drivers.meta.chat_errors import ERRORS

# What the webhooks module reads; Meta refuses a subscription without fields.
SUBSCRIBED: Final = (
    *("messages", "messaging_postbacks", "message_deliveries", "message_reads", "message_echoes"),
    *("message_reactions", "message_edits", "messaging_referrals", "messaging_optins"),
    *("standby", "messaging_handovers"),
)
_PAGES: Final = "me"


class PageConnect(ConnectDriver):
    """Messenger: the address is the page, which is its own account."""

    connect_scopes: ClassVar[tuple[str, ...]] = ("pages_messaging", "pages_manage_metadata", "pages_show_list")
    signup_dialog: ClassVar[Dialog | None] = PAGES_DIALOG
    lookup_fields: ClassVar[str] = "id,name"
    is_own_account: ClassVar[bool] = True

    def accounts_granted(self, targets: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
        """Pages have no account above them: those that the token opens are listed under `me`."""
        return (_PAGES,)

    def build_lookup(self, access: Access, external_id: str) -> HttpRequest:
        path = f"{quote(external_id, safe='')}?fields={self.lookup_fields}"
        return HttpRequest("GET", f"{_base(access)}/{path}", _headers(access))

    def read_lookup(self, response: HttpResponse) -> Found:
        row = _object(response)
        page_id = str(row.get("id") or "")
        return Found(page_id, page_id, "", str(row.get("name") or ""))

    def build_addresses(self, access: Access, account_id: str) -> HttpRequest:
        query = urlencode({"fields": "id,name,access_token,instagram_business_account{id,username}", "limit": "100"})
        return HttpRequest("GET", f"{_base(access)}/me/accounts?{query}", _headers(access))

    def read_addresses(self, response: HttpResponse, account_id: str) -> tuple[Found, ...]:
        rows = _object(response).get("data")
        if not isinstance(rows, list):
            raise Ambiguous(f"HTTP {response.status} without a list of pages")
        found = [self.address_of(row) for row in rows if isinstance(row, Mapping) and row.get("id")]
        return tuple(one for one in found if one is not None and account_id in (_PAGES, one.account_id))

    def address_of(self, page: Mapping[str, Any]) -> Found | None:
        """The address that a page stands for; None when it has none of this kind."""
        page_id = str(page["id"])
        return Found(page_id, page_id, "", str(page.get("name") or ""), token=str(page.get("access_token") or ""))

    def build_subscribe(self, access: Access, found: Found) -> HttpRequest:
        """POST `/{page_id}/subscribed_apps`, with the page's own token when it is known."""
        own = Access(access.base_url, access.version, found.token or access.token)
        query = urlencode({"subscribed_fields": ",".join(SUBSCRIBED)})
        url = f"{_base(access)}/{quote(found.account_id, safe='')}/subscribed_apps?{query}"
        return HttpRequest("POST", url, _headers(own))

    def build_register(self, access: Access, found: Found, pin: str) -> HttpRequest:
        """Pages are not registered: no address of this kind asks for it."""
        raise TypeError("pages need no registration")

    def read_done(self, response: HttpResponse) -> None:
        if _object(response).get("success") is not True:
            raise Ambiguous(f"HTTP {response.status} without success")


class InstagramConnect(PageConnect):
    """Instagram with Page login: the address is the professional account, its account the page behind it."""

    connect_scopes: ClassVar[tuple[str, ...]] = (
        *PageConnect.connect_scopes,
        "instagram_basic",
        "instagram_manage_messages",
    )
    lookup_fields: ClassVar[str] = "id,username"
    is_own_account: ClassVar[bool] = False

    def read_lookup(self, response: HttpResponse) -> Found:
        """Meta does not say here which page is behind it."""
        row = _object(response)
        return Found(str(row.get("id") or ""), "", "", str(row.get("username") or ""))

    def address_of(self, page: Mapping[str, Any]) -> Found | None:
        account = page.get("instagram_business_account")
        if not isinstance(account, Mapping) or not account.get("id"):
            return None
        token, name = str(page.get("access_token") or ""), str(account.get("username") or page.get("name") or "")
        return Found(str(account["id"]), str(page["id"]), "", name, token=token)


def _base(access: Access) -> str:
    return f"{access.base_url}/{access.version}"


def _headers(access: Access) -> dict[str, str]:
    return {"Authorization": f"Bearer {access.token}"}


def _object(response: HttpResponse) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise ERRORS.in_response(response) from None
    if not isinstance(answer, dict) or "error" in answer or not 200 <= response.status < 300:
        raise ERRORS.in_response(response)
    return answer
