"""The latest messages of one contact, over all channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from messaging.content import content_preview
from messaging.models import Message


@dataclass(frozen=True, slots=True)
class Line:
    """One message as a bubble: `is_out` is ours, `text` is masked when it must be."""

    pk: int
    is_out: bool
    text: str
    at: datetime
    channel: str
    status: str


def conversation_of(*, contact_id: int, limit: int) -> list[Line]:
    """The newest `limit` messages of the contact, oldest first; one query, through an index."""
    newest = Message.objects.filter(contact_id=contact_id).select_related("channel").order_by("-id")[:limit]
    return [
        Line(
            pk=message.pk,
            is_out=message.direction == Message.Direction.OUT,
            text=content_preview(message.content, is_sensitive=message.is_sensitive, limit=2000),
            at=message.queued_at,
            channel=message.channel.name,
            status=str(message.get_status_display()),
        )
        for message in reversed(newest)
    ]
