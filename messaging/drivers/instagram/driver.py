"""Instagram: direct messages of a professional account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from messaging.drivers.base import AddressKind, ChannelInfo, ChannelSetting
from messaging.drivers.instagram import webhook
from messaging.drivers.instagram.config import LOGIN_SETTING, is_instagram_login
from messaging.drivers.instagram.token import InstagramTokens
from messaging.drivers.meta.chat_connect import InstagramConnect
from messaging.drivers.meta.chat_content import TextLimit
from messaging.drivers.meta.chat_driver import HUMAN_AGENT_SETTING, ChatDriver
from messaging.drivers.meta.graph import graph_url


class InstagramDriver(InstagramTokens, ChatDriver, InstagramConnect):
    """One instance serves all accounts. The channel's provider id is the account's, its account the page's."""

    kind: ClassVar[str] = "instagram"
    label: ClassVar[str] = "Instagram"
    network: ClassVar[str] = "INSTAGRAM"
    channel_settings: ClassVar[tuple[ChannelSetting, ...]] = (LOGIN_SETTING, HUMAN_AGENT_SETTING)
    address_kind: ClassVar[AddressKind] = webhook.IGSID
    address_kinds: ClassVar[tuple[AddressKind, ...]] = (webhook.IGSID,)
    route_kind: ClassVar[str] = webhook.ROUTE
    account_route_kind: ClassVar[str] = webhook.ACCOUNT_ROUTE
    webhook_object: ClassVar[str] = webhook.OBJECT
    # Meta: 100 texts a second and account.
    default_rate: ClassVar[int] = 100
    text_limit: ClassVar[TextLimit] = TextLimit(1000, in_bytes=True)
    profile_fields: ClassVar[str] = "name,username"

    def messages_url(self, channel: ChannelInfo) -> str:
        """Tokens of the page know "me" as the page of the account."""
        if is_instagram_login(channel.config):
            return f"{graph_url(_own_host(channel))}/{channel.external_id}/messages"
        return f"{graph_url(channel)}/{channel.account_id or 'me'}/messages"

    def profile_url(self, channel: ChannelInfo, address: str) -> str:
        return super().profile_url(_own_host(channel), address)

    def kind_of_message(self, channel: ChannelInfo, content: Mapping[str, Any]) -> dict[str, str]:
        """Instagram knows no `messaging_type`, but for the tag."""
        return super().kind_of_message(channel, content) if content.get("tag") else {}


def _own_host(channel: ChannelInfo) -> ChannelInfo:
    """Instagram's own login has its own host."""
    if not is_instagram_login(channel.config):
        return channel
    return replace(channel, base_url=channel.config.get("instagram_graph_url") or channel.base_url)
