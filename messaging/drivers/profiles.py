"""What a driver offers when its webhooks come without names, and the provider tells the name of who has written."""

from __future__ import annotations

from abc import ABC, abstractmethod

from messaging.drivers.base import ChannelInfo, HttpRequest, HttpResponse


class ProfileDriver(ABC):
    """The part of a driver whose provider is asked what a person is called."""

    @abstractmethod
    def build_profile(self, channel: ChannelInfo, address: str) -> HttpRequest:
        """The request for the profile of a person who has written to the channel."""

    @abstractmethod
    def read_profile(self, response: HttpResponse) -> str:
        """The person's name; "" when they show none. Raises `SendError` or `Ambiguous`."""
