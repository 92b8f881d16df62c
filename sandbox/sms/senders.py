"""Senders of the SMS gateway; they take the place of a phone number in a conversation."""

from __future__ import annotations

from sandbox.graph.limits import SlidingWindow


class SmsSender:
    """One account at the gateway: `display` is what phones show, `callback_url` where its reports and messages go.

    The gateway learns both from the requests, so that it needs no set-up. Reports and messages have addresses that
    differ in the last word.
    """

    def __init__(self, sender_id: str, display: str, callback_url: str = "") -> None:
        self.id = sender_id
        self.display = display
        self.verified_name = display
        self.callback_url = callback_url
        self.subscribed = True
        self.throughput = SlidingWindow(1.0)
        self.waba = self

    @property
    def override(self) -> str | None:
        """Senders have one address only."""
        return None

    def callback(self, about: str) -> str:
        """Where news go: `about` is report or message; "" when the sender has no address."""
        head, _, _ = self.callback_url.rpartition("/")
        return f"{head}/{about}" if head else ""

    def as_row(self) -> dict[str, object]:
        """A row in the list of senders that the page with the phones shows."""
        return {
            "phone_number_id": self.id,
            "waba_id": "",
            "display_phone_number": "SMS",
            "verified_name": self.verified_name,
            "assumed": False,
            "registered": True,
        }
