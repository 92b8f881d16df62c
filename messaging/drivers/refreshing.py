"""What a driver offers when the tokens of its channels end after a while and can be exchanged for fresh ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from messaging.drivers.base import ChannelInfo, HttpRequest, HttpResponse


@dataclass(frozen=True, slots=True)
class FreshToken:
    """The token that takes the old one's place, and how long it lives from now on."""

    token: str
    lives: timedelta


class RefreshDriver(ABC):
    """The part of a driver that keeps tokens alive."""

    # The provider exchanges a token only after this age.
    refresh_age: ClassVar[timedelta]

    @abstractmethod
    def has_ending_token(self, channel: ChannelInfo) -> bool:
        """Whether the channel's token is of the sort that ends and can be exchanged."""

    @abstractmethod
    def build_refresh(self, channel: ChannelInfo) -> HttpRequest:
        """The request that exchanges the channel's token."""

    @abstractmethod
    def read_refresh(self, response: HttpResponse) -> FreshToken:
        """Raises `SendError` or `Ambiguous`."""
