"""Answers about channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from api.outputs import Output

ChannelType = Literal["WHATSAPP", "INSTAGRAM", "FACEBOOK", "SMS", "OTHER"]


@dataclass(frozen=True, slots=True)
class ChannelRow(Output):
    component: ClassVar[str] = "Channel"
    notes: ClassVar[dict[str, str]] = {
        "id": "Your id of the channel, or ours where you gave none.",
        "status": "connected, paused, pending or disconnected. Only connected channels send.",
        "statusReason": "Why it is not connected.",
        "phoneNumber": "Digits with the country code.",
        "systemUserAccessToken": "Masked: whether one is stored.",
        "messagingLimit": "How many people may be written to first in 24 hours, in Meta's words, when it told.",
        "tokenExpiresAt": "When the access token ends; null: never, or not known. Tokens of Instagram's own login are "
        "renewed before.",
        "tokenProblem": "Why the token does not work or could not be renewed.",
        "messagesPerSecond": "How fast this channel sends; 0: no limit.",
    }

    id: str
    uuid: UUID
    type: ChannelType
    name: str
    status: str
    statusReason: str | None
    customerId: UUID | None
    phoneNumber: str | None
    phoneId: str
    wabaId: str | None
    systemUserAccessToken: str | None
    qualityRating: str | None
    messagingLimit: str | None
    tokenExpiresAt: datetime | None
    tokenProblem: str | None
    messagesPerSecond: int
    sandbox: bool
    createdAt: datetime


@dataclass(frozen=True, slots=True)
class ChannelList(Output):
    component: ClassVar[str] = "ChannelList"

    success: bool
    channels: list[ChannelRow]


@dataclass(frozen=True, slots=True)
class ChannelCreated(Output):
    component: ClassVar[str] = "ChannelCreated"

    success: bool
    message: str
    channel: ChannelRow
