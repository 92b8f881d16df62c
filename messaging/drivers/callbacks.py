"""What a driver offers whose provider reports by plain HTTP callbacks, to an address with a token of the channel."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from messaging.drivers.base import ChannelInfo

# The secret that is part of the address; made with the channel.
CALLBACK_TOKEN: Final = "callback_token"  # noqa: S105  a name, not a secret


class CallbackAbout(enum.StrEnum):
    """What a callback tells: the fate of a message of ours, or a message of a customer."""

    REPORT = "report"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Callback:
    """One call as it came: raw query and body. `nonce` is ours, different for every call."""

    about: CallbackAbout
    query: str
    content_type: str
    body: bytes
    at: datetime
    nonce: str


class CallbackDriver(ABC):
    """The part of a driver that takes such calls; its channels have the secret `CALLBACK_TOKEN`."""

    callback_bytes: ClassVar[int] = 1024 * 1024

    @abstractmethod
    def callback_envelope(self, channel: ChannelInfo, callback: Callback) -> Mapping[str, Any]:
        """The call as a webhook body that `split` and `parse` of this driver read later, however it changes."""

    @abstractmethod
    def callback_answer(self, channel: ChannelInfo) -> str:
        """What the provider wants to read when a call was taken."""


def callback_address(channel: ChannelInfo, about: CallbackAbout) -> str:
    """The address for the provider, "" when the channel has no token."""
    token = channel.secrets.get(CALLBACK_TOKEN)
    return f"{channel.callback_url}/{token}/{about}" if token and channel.callback_url else ""
