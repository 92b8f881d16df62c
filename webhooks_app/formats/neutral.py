"""What all formats start from, and how they read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class NeutralEvent:
    """An event as the outbox has it. `id` is the delivery's uuid, `name` what the endpoint's surface calls it."""

    id: str
    type: str
    name: str
    at: datetime
    is_test: bool
    data: Mapping[str, Any]

    def part(self, name: str) -> Mapping[str, Any]:
        """One object of the payload; empty when it is not there or was too large."""
        value = self.data.get(name)
        return value if isinstance(value, Mapping) else {}

    def with_data(self, data: Mapping[str, Any]) -> NeutralEvent:
        """The same event with another payload."""
        return replace(self, data=data)

    def milestone(self) -> datetime:
        """When the message reached the state that the event tells of; when it happened here, if nobody said."""
        message = self.part("message")
        for name in (f"{message.get('status')}_at", "sent_at"):
            if isinstance(text := message.get(name), str):
                return datetime.fromisoformat(text).astimezone(UTC)
        return self.at


def iso_seconds(moment: datetime) -> str:
    """`2025-11-07T12:00:00+00:00`."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def text_of(content: Any) -> str:
    """What a message says to a person: its text, a caption, the title of the button or row that was chosen."""
    if not isinstance(content, Mapping):
        return ""
    part = content.get(str(content.get("type", "")))
    if not isinstance(part, Mapping):
        return ""
    body = part.get("body")
    if isinstance(body, Mapping):
        return str(body.get("text") or "")
    for name in ("button_reply", "list_reply"):
        reply = part.get(name)
        if isinstance(reply, Mapping):
            return str(reply.get("title") or "")
    return str(body or part.get("caption") or part.get("text") or part.get("emoji") or "")


def phone_of(value: Any) -> str:
    """E.164 with + for digits, anything else (a provider's id) as it is."""
    text = str(value or "")
    return f"+{text}" if text.isascii() and text.isdigit() else text
