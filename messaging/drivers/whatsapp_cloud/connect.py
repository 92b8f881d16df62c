"""Connecting a WhatsApp number: its facts, the numbers of an account, the app's subscription, the registration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson

from messaging.drivers.base import Ambiguous, HttpRequest, HttpResponse
from messaging.drivers.connecting import Access, Found
from messaging.drivers.whatsapp_cloud.errors import ERRORS

SCOPES: Final = ("whatsapp_business_management", "whatsapp_business_messaging")
_FIELDS: Final = (
    "id,display_phone_number,verified_name,quality_rating,platform_type,status,is_on_biz_app,code_verification_status"
)


def accounts_granted(targets: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The WABAs of the management scope, in Meta's order: the newest first."""
    return tuple(targets.get(SCOPES[0], ()))


def build_lookup(access: Access, external_id: str) -> HttpRequest:
    """GET `/{phone_number_id}`."""
    return _get(access, f"{quote(external_id, safe='')}?fields={_FIELDS}")


def read_lookup(response: HttpResponse) -> Found:
    """The number; Meta does not say here which account it belongs to."""
    return _found(_object(response), "")


def build_addresses(access: Access, account_id: str) -> HttpRequest:
    """GET `/{waba}/phone_numbers`; an account has 20 numbers at most unless Meta raised it, far below one page."""
    return _get(access, f"{quote(account_id, safe='')}/phone_numbers?fields={_FIELDS}&limit=100")


def read_addresses(response: HttpResponse, account_id: str) -> tuple[Found, ...]:
    """The numbers of the account."""
    rows = _object(response).get("data")
    if not isinstance(rows, list):
        raise Ambiguous(f"HTTP {response.status} without a list of numbers")
    return tuple(_found(row, account_id) for row in rows if isinstance(row, Mapping) and row.get("id"))


def build_subscribe(access: Access, found: Found) -> HttpRequest:
    """POST `/{waba}/subscribed_apps` without a body: webhooks go to the app's own address."""
    url = f"{_base(access)}/{quote(found.account_id, safe='')}/subscribed_apps"
    return HttpRequest("POST", url, _headers(access), b"{}")


def build_register(access: Access, found: Found, pin: str) -> HttpRequest:
    """POST `/{phone_number_id}/register`."""
    body = orjson.dumps({"messaging_product": "whatsapp", "pin": pin})
    return HttpRequest("POST", f"{_base(access)}/{quote(found.external_id, safe='')}/register", _headers(access), body)


def read_done(response: HttpResponse) -> None:
    """`{"success": true}`."""
    if _object(response).get("success") is not True:
        raise Ambiguous(f"HTTP {response.status} without success")


def _found(row: Mapping[str, Any], account_id: str) -> Found:
    digits = "".join(filter(str.isdigit, str(row.get("display_phone_number") or "")))
    # A number that works is not registered again: each registration counts, 10 in 72 hours.
    is_connected = row.get("platform_type") == "CLOUD_API" and row.get("status") == "CONNECTED"
    return Found(
        external_id=str(row.get("id") or ""),
        account_id=account_id,
        address=digits,
        name=str(row.get("verified_name") or ""),
        quality=str(row.get("quality_rating") or ""),
        needs_registration=not is_connected and row.get("is_on_biz_app") is not True,
    )


def _get(access: Access, path: str) -> HttpRequest:
    return HttpRequest("GET", f"{_base(access)}/{path}", {"Authorization": f"Bearer {access.token}"})


def _base(access: Access) -> str:
    return f"{access.base_url}/{access.version}"


def _headers(access: Access) -> dict[str, str]:
    return {"Authorization": f"Bearer {access.token}", "Content-Type": "application/json"}


def _object(response: HttpResponse) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise ERRORS.in_response(response) from None
    if not isinstance(answer, dict) or "error" in answer or not 200 <= response.status < 300:
        raise ERRORS.in_response(response)
    return answer
