"""Answers about messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from api.gateway.outputs.channels import ChannelType
from api.gateway.outputs.files import FileRow
from api.outputs import Output

MessageState = Literal["queued", "processing", "sent", "delivered", "read", "failed", "cancelled", "received"]


@dataclass(frozen=True, slots=True)
class MessageAccepted(Output):
    component: ClassVar[str] = "MessageAccepted"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Queued": {
            "success": True,
            "message": "Message accepted and enqueued for delivery.",
            "messageId": "0190b8a2-6c1e-7f3a-9a53-2f1b4c5d6e7f",
            "status": "queued",
        }
    }

    success: bool
    message: str
    messageId: str
    status: Literal["queued"]


@dataclass(frozen=True, slots=True)
class MessageRow(Output):
    component: ClassVar[str] = "Message"
    notes: ClassVar[dict[str, str]] = {
        "contact": "The other side: digits of the phone number, or the person's id on the network.",
        "text": "One line that says what the message is.",
        "content": "The content as it was sent or received; null for one-time passwords.",
        "files": "Files that were received.",
        "providerMessageId": "The network's own id.",
        "error": "Why it failed, in words.",
    }

    id: str
    channelId: str
    channelType: ChannelType
    customerId: str | None
    direction: Literal["INBOUND", "OUTBOUND"]
    status: MessageState
    type: str
    contact: str
    text: str
    content: dict[str, Any] | None
    files: list[FileRow]
    providerMessageId: str | None
    errorCode: str | None
    error: str | None
    createdAt: datetime
    sentAt: datetime | None
    deliveredAt: datetime | None
    readAt: datetime | None
    failedAt: datetime | None


@dataclass(frozen=True, slots=True)
class MessageList(Output):
    component: ClassVar[str] = "MessageList"
    notes: ClassVar[dict[str, str]] = {
        "nextCursor": "Ask for the next page with it; null on the last one. With filters a page may hold fewer "
        "messages than `limit` and still have a next one."
    }

    success: bool
    messages: list[MessageRow]
    nextCursor: str | None
