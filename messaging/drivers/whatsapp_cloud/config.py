"""The settings of a WhatsApp channel, read from `Channel.config` and `Channel.secrets`."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from messaging.drivers.base import ChannelInfo

# Meta's Graph API, the newest version whose end is not announced within a year (facts of September 2026).
GRAPH_VERSION: Final = "v25.0"
SECRET_FIELDS: Final = ("access_token", "app_secret", "verify_token")


class WhatsAppConfig(TypedDict, total=False):
    """`Channel.config`. `messaging_limit` is written by Meta's webhooks: TIER_250 ... TIER_UNLIMITED or a number."""

    graph_version: str
    messaging_limit: str


def phone_url(channel: ChannelInfo, default_version: str) -> str:
    """Base URL of the number: `{base_url}/{version}/{phone_number_id}`."""
    return f"{graph_url(channel, default_version)}/{channel.external_id}"


def graph_url(channel: ChannelInfo, default_version: str) -> str:
    """Base URL of the Graph API with its version: the channel's own, else the platform's."""
    return f"{channel.base_url}/{channel.config.get('graph_version') or default_version}"


def authorization(channel: ChannelInfo) -> dict[str, str]:
    """The header that carries the access token; an empty token is sent as such, so that Meta's answer says so."""
    token: Any = channel.secrets.get("access_token", "")
    return {"Authorization": f"Bearer {token}"}
