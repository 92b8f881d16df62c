"""The latest messages of one contact, over all channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from messaging.admin.files import ShownFile, files_of
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
    files: list[ShownFile]


def conversation_of(
    *, contact_id: int, limit: int, organization_uuid: UUID, membership_id: int | None = None
) -> list[Line]:
    """The newest `limit` messages of the contact, oldest first, with their files; two queries, through indexes.

    `membership_id`: only what this member sent.
    """
    rows = Message.objects.filter(contact_id=contact_id)
    if membership_id is not None:
        rows = rows.filter(membership_id=membership_id)
    newest = list(rows.select_related("channel").order_by("-id")[:limit])
    files = files_of(message_ids=[message.pk for message in newest], organization_uuid=organization_uuid)
    return [
        Line(
            pk=message.pk,
            is_out=message.direction == Message.Direction.OUT,
            text=content_preview(message.content, is_sensitive=message.is_sensitive, limit=2000),
            at=message.queued_at,
            channel=message.channel.name,
            status=str(message.get_status_display()),
            files=files.get(message.pk, []),
        )
        for message in reversed(newest)
    ]
