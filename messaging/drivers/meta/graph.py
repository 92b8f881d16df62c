"""What every channel at Meta's Graph API has in common: address, version, token, JSON requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from messaging.drivers.base import ChannelInfo, HttpRequest

# Meta's Graph API, the newest version whose end is not announced within a year (facts of September 2026).
GRAPH_VERSION: Final = "v25.0"
SECRET_FIELDS: Final = ("access_token", "app_secret", "verify_token")


def graph_url(channel: ChannelInfo, default_version: str = GRAPH_VERSION) -> str:
    """Base URL of the Graph API with its version: the channel's own, else the platform's."""
    return f"{channel.base_url}/{channel.config.get('graph_version') or default_version}"


def authorization(channel: ChannelInfo) -> dict[str, str]:
    """The header that carries the access token; an empty token is sent as such, so that Meta's answer says so."""
    token: Any = channel.secrets.get("access_token", "")
    return {"Authorization": f"Bearer {token}"}


def json_post(channel: ChannelInfo, url: str, body: Mapping[str, Any]) -> HttpRequest:
    """POST `body` as JSON with the channel's token."""
    headers = authorization(channel)
    headers["Content-Type"] = "application/json"
    return HttpRequest("POST", url, headers, orjson.dumps(body))
