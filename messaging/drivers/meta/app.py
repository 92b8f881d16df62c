"""Meta's calls of the app itself: the code of a sign-up becomes a token, and what the token may do is inspected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from messaging.drivers.base import Ambiguous, HttpRequest, HttpResponse
from messaging.drivers.whatsapp_cloud.errors import ERRORS


@dataclass(frozen=True, slots=True)
class AppAccess:
    """The app as Meta knows it, and where its Graph API is."""

    base_url: str
    version: str
    app_id: str
    app_secret: str


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What Meta says of a token. `targets`: scope -> the ids that it is granted for. `expires_at`: epoch, 0 = never."""

    is_valid: bool
    app_id: str = ""
    scopes: tuple[str, ...] = ()
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expires_at: int = 0
    problem: str = ""


def build_exchange(app: AppAccess, code: str) -> HttpRequest:
    """GET `/oauth/access_token`: the code lives for 30 seconds. Codes of the JavaScript SDK need no redirect_uri."""
    query = {"client_id": app.app_id, "client_secret": app.app_secret, "code": code}
    return HttpRequest("GET", f"{app.base_url}/{app.version}/oauth/access_token?{urlencode(query)}")


def read_exchange(response: HttpResponse) -> str:
    """The business's access token. Raises `SendError` or `Ambiguous`."""
    token = _object(response).get("access_token")
    if not isinstance(token, str) or not token:
        raise Ambiguous(f"HTTP {response.status} without an access token")
    return token


def build_inspect(app: AppAccess, token: str) -> HttpRequest:
    """GET `/debug_token` with the app's own token."""
    query = urlencode({"input_token": token})
    headers = {"Authorization": f"Bearer {app.app_id}|{app.app_secret}"}
    return HttpRequest("GET", f"{app.base_url}/{app.version}/debug_token?{query}", headers)


def read_inspect(response: HttpResponse) -> TokenFacts:
    """An invalid token is no error of the call: `is_valid` is False. Raises `SendError` or `Ambiguous`."""
    data = _object(response).get("data")
    if not isinstance(data, Mapping):
        raise Ambiguous(f"HTTP {response.status} without the token's data")
    error = data.get("error")
    rows = data.get("granular_scopes")
    targets = {
        str(row.get("scope")): tuple(str(item) for item in row.get("target_ids") or ())
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, Mapping)
    }
    expires = data.get("expires_at")
    return TokenFacts(
        is_valid=data.get("is_valid") is True,
        app_id=str(data.get("app_id") or ""),
        scopes=tuple(str(scope) for scope in data.get("scopes") or ()),
        targets=targets,
        expires_at=expires if isinstance(expires, int) else 0,
        problem=str(error.get("message") or "") if isinstance(error, Mapping) else "",
    )


def _object(response: HttpResponse) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise ERRORS.in_response(response) from None
    if not isinstance(answer, dict) or "error" in answer or not 200 <= response.status < 300:
        raise ERRORS.in_response(response)
    return answer
