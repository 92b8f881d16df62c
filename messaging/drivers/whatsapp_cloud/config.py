"""The settings of a WhatsApp channel, read from `Channel.config` and `Channel.secrets`."""

from __future__ import annotations

from typing import TypedDict

from messaging.drivers.base import ChannelInfo
from messaging.drivers.meta.graph import graph_url


class WhatsAppConfig(TypedDict, total=False):
    """`Channel.config`. `messaging_limit` is written by Meta's webhooks: TIER_250 ... TIER_UNLIMITED or a number."""

    graph_version: str
    messaging_limit: str


def phone_url(channel: ChannelInfo, default_version: str) -> str:
    """Base URL of the number: `{base_url}/{version}/{phone_number_id}`."""
    return f"{graph_url(channel, default_version)}/{channel.external_id}"
