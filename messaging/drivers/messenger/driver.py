"""Messenger: conversations of a Facebook page."""

from __future__ import annotations

from typing import ClassVar

from messaging.drivers.base import AddressKind, Capability, ChannelInfo, Outgoing
from messaging.drivers.messenger import webhook
from messaging.drivers.meta.chat_connect import PageConnect
from messaging.drivers.meta.chat_content import TextLimit
from messaging.drivers.meta.chat_driver import ChatDriver
from messaging.drivers.meta.graph import graph_url


class MessengerDriver(ChatDriver, PageConnect):
    """One instance serves all pages. The channel's provider id is the page's."""

    kind: ClassVar[str] = "messenger"
    label: ClassVar[str] = "Messenger"
    network: ClassVar[str] = "FACEBOOK"
    # The metadata of a message comes back with its echo.
    capabilities: ClassVar[frozenset[Capability]] = ChatDriver.capabilities | {Capability.STATUS_ECHO}
    address_kind: ClassVar[AddressKind] = webhook.PSID
    address_kinds: ClassVar[tuple[AddressKind, ...]] = (webhook.PSID,)
    route_kind: ClassVar[str] = webhook.ROUTE
    account_route_kind: ClassVar[str] = webhook.ACCOUNT_ROUTE
    webhook_object: ClassVar[str] = webhook.OBJECT
    # Meta counts per page and day (200 x people in conversation) and names no rate per second; 613 slows down.
    default_rate: ClassVar[int] = 40
    text_limit: ClassVar[TextLimit] = TextLimit(2000)
    profile_fields: ClassVar[str] = "first_name,last_name"

    def messages_url(self, channel: ChannelInfo) -> str:
        return f"{graph_url(channel)}/{channel.external_id}/messages"

    def correlation(self, message: Outgoing) -> dict[str, str]:
        return {"metadata": message.uuid}
