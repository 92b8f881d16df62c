"""The answers of the gateway API, as `contracts/iaqui-gateway.openapi.json` names them and beyond."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from api.outputs import Output

ChannelType = Literal["WHATSAPP", "INSTAGRAM", "FACEBOOK", "SMS", "OTHER"]
FileState = Literal["pending", "stored", "refused", "failed", "removed"]
MessageState = Literal["queued", "processing", "sent", "delivered", "read", "failed", "cancelled", "received"]


@dataclass(frozen=True, slots=True)
class RefusalReason(Output):
    component: ClassVar[str] = "RefusalReason"
    notes: ClassVar[dict[str, str]] = {
        "code": "Stable: decide by it.",
        "message": "For people.",
        "fields": "A field's path -> what is wrong with it.",
    }

    code: str
    message: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal(Output):
    component: ClassVar[str] = "Refusal"

    success: bool
    error: RefusalReason
    requestId: str


@dataclass(frozen=True, slots=True)
class Registered(Output):
    component: ClassVar[str] = "Registered"
    notes: ClassVar[dict[str, str]] = {"apiKey": "The first key, with every scope. Shown only here."}
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "A new account": {
            "success": True,
            "message": "Account created. Keep the key: it is shown only once.",
            "accountId": "0190b8a2-6c1e-7f3a-9a53-2f1b4c5d6e7f",
            "name": "Whatsaky SaaS",
            "email": "dev@whatsaky.com",
            "apiKey": "iq_live_4f0c2k9d81ab_…",
        }
    }

    success: bool
    message: str
    accountId: str
    name: str
    email: str
    apiKey: str


@dataclass(frozen=True, slots=True)
class KeyCreated(Output):
    component: ClassVar[str] = "KeyCreated"
    notes: ClassVar[dict[str, str]] = {"apiKey": "Shown only here."}

    success: bool
    apiKey: str
    name: str
    id: UUID
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class KeyRow(Output):
    component: ClassVar[str] = "Key"
    notes: ClassVar[dict[str, str]] = {"prefix": "How the key begins; the rest is not stored."}

    id: UUID
    name: str
    prefix: str
    mode: Literal["live", "test"]
    scopes: list[str]
    ratePerMinute: int
    createdAt: datetime
    lastUsedAt: datetime | None
    expiresAt: datetime | None
    revokedAt: datetime | None


@dataclass(frozen=True, slots=True)
class KeyList(Output):
    component: ClassVar[str] = "KeyList"

    success: bool
    keys: list[KeyRow]


@dataclass(frozen=True, slots=True)
class ChannelRow(Output):
    component: ClassVar[str] = "Channel"
    notes: ClassVar[dict[str, str]] = {
        "id": "Your id of the channel, or ours where you gave none.",
        "status": "connected, paused, pending or disconnected. Only connected channels send.",
        "statusReason": "Why it is not connected.",
        "phoneNumber": "Digits with the country code.",
        "systemUserAccessToken": "Masked: whether one is stored.",
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


@dataclass(frozen=True, slots=True)
class CustomerRow(Output):
    component: ClassVar[str] = "Customer"

    id: str
    name: str
    email: str
    externalId: str | None
    createdAt: datetime


@dataclass(frozen=True, slots=True)
class CustomerCreated(Output):
    component: ClassVar[str] = "CustomerCreated"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "A clinic": {
            "success": True,
            "customer": {
                "id": "0190b8a2-6c1e-7f3a-9a53-2f1b4c5d6e7f",
                "name": "Clínica DentalCare",
                "email": "contacto@dentalcare.com",
                "externalId": "client_crm_98234",
                "createdAt": "2026-11-22T09:30:00Z",
            },
        }
    }

    success: bool
    customer: CustomerRow


@dataclass(frozen=True, slots=True)
class CustomerList(Output):
    component: ClassVar[str] = "CustomerList"
    notes: ClassVar[dict[str, str]] = {"nextCursor": "Ask for the next page with it; null on the last one."}

    success: bool
    customers: list[CustomerRow]
    nextCursor: str | None


@dataclass(frozen=True, slots=True)
class SetupLinkRow(Output):
    component: ClassVar[str] = "SetupLink"
    notes: ClassVar[dict[str, str]] = {
        "status": "open, completed, revoked or expired.",
        "step": "The step that is next: exchange, inspect, choose, subscribe, register or channel.",
        "error": "Why the last attempt stopped, in words.",
        "channelId": "The channel that came of it.",
    }

    id: str
    customerId: str
    status: Literal["open", "completed", "revoked", "expired"]
    step: str | None
    error: str | None
    redirectUrl: str | None
    channelId: str | None
    sandbox: bool
    createdAt: datetime
    expiresAt: datetime
    completedAt: datetime | None


@dataclass(frozen=True, slots=True)
class NewSetupLink(Output):
    component: ClassVar[str] = "NewSetupLink"
    notes: ClassVar[dict[str, str]] = {
        "token": "Part of the URL; shown only here.",
        "url": "Send your customer there.",
        "signingSecret": "Signs the result that is appended to redirectUrl. Shown only here.",
    }

    id: str
    token: str
    url: str
    signingSecret: str
    customerId: str
    redirectUrl: str | None
    sandbox: bool
    expiresAt: datetime


@dataclass(frozen=True, slots=True)
class SetupLinkCreated(Output):
    component: ClassVar[str] = "SetupLinkCreated"

    success: bool
    setupLink: NewSetupLink


@dataclass(frozen=True, slots=True)
class SetupLinkShown(Output):
    component: ClassVar[str] = "SetupLinkShown"

    success: bool
    setupLink: SetupLinkRow


@dataclass(frozen=True, slots=True)
class SetupLinkList(Output):
    component: ClassVar[str] = "SetupLinkList"

    success: bool
    setupLinks: list[SetupLinkRow]
    nextCursor: str | None


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
class FileRow(Output):
    component: ClassVar[str] = "File"
    notes: ClassVar[dict[str, str]] = {
        "id": "What messages that you send name as `file`.",
        "state": "A file that was received is `pending` until it is fetched from the network, which takes seconds.",
        "reason": "Why it is not stored, in words.",
        "mimeType": "As its content shows, once it is stored.",
        "sha256": "In hex, once it is stored.",
        "url": "The content, without a key, for a few minutes; null unless it is stored.",
    }

    id: UUID
    type: str
    state: FileState
    reason: str | None
    mimeType: str | None
    size: int | None
    sha256: str | None
    name: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class FileKept(Output):
    component: ClassVar[str] = "FileKept"

    success: bool
    file: FileRow


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


@dataclass(frozen=True, slots=True)
class TemplateRow(Output):
    component: ClassVar[str] = "Template"
    notes: ClassVar[dict[str, str]] = {
        "id": "Meta's id; empty until Meta has answered.",
        "status": "PENDING, APPROVED, REJECTED, PAUSED, DISABLED ... Only approved ones are sent.",
        "nextCategory": "A change that Meta has announced.",
        "quality": "GREEN, YELLOW, RED, or empty.",
    }

    id: str
    uuid: UUID
    name: str
    language: str
    category: str
    previousCategory: str | None
    nextCategory: str | None
    status: str
    reason: str | None
    quality: str | None
    parameterFormat: str
    components: list[dict[str, Any]]
    createdAt: datetime
    statusAt: datetime


@dataclass(frozen=True, slots=True)
class TemplateCreated(Output):
    component: ClassVar[str] = "TemplateCreated"

    success: bool
    message: str
    template: TemplateRow


@dataclass(frozen=True, slots=True)
class SyncCounts(Output):
    component: ClassVar[str] = "SyncCounts"

    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class TemplateList(Output):
    component: ClassVar[str] = "TemplateList"
    notes: ClassVar[dict[str, str]] = {"synced": "What reading from Meta has changed; null without sync=true."}

    success: bool
    templates: list[TemplateRow]
    synced: SyncCounts | None


@dataclass(frozen=True, slots=True)
class TemplateDeleted(Output):
    component: ClassVar[str] = "TemplateDeleted"
    notes: ClassVar[dict[str, str]] = {"languages": "Deleting by name deletes every language."}

    success: bool
    message: str
    name: str
    languages: list[str]


@dataclass(frozen=True, slots=True)
class WebhookRow(Output):
    component: ClassVar[str] = "Webhook"
    notes: ClassVar[dict[str, str]] = {"disabledReason": "Why it was switched off, when it was."}

    id: UUID
    url: str
    events: list[str]
    isActive: bool
    disabledReason: str | None
    createdAt: datetime
    lastSuccessAt: datetime | None
    lastFailureAt: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookCreated(Output):
    component: ClassVar[str] = "WebhookCreated"
    notes: ClassVar[dict[str, str]] = {"secret": "Signs the deliveries. Shown only here."}

    success: bool
    message: str
    webhook: WebhookRow
    secret: str


@dataclass(frozen=True, slots=True)
class WebhookList(Output):
    component: ClassVar[str] = "WebhookList"

    success: bool
    webhooks: list[WebhookRow]


@dataclass(frozen=True, slots=True)
class WebhookDeleted(Output):
    component: ClassVar[str] = "WebhookDeleted"

    success: bool
    message: str


@dataclass(frozen=True, slots=True)
class WebhookTested(Output):
    component: ClassVar[str] = "WebhookTested"
    notes: ClassVar[dict[str, str]] = {
        "delivered": "Whether the receiver answered 2xx.",
        "response": "The beginning of its answer.",
    }

    success: bool
    delivered: bool
    statusCode: int | None
    latencyMs: int
    error: str | None
    response: str
    deliveryId: UUID


@dataclass(frozen=True, slots=True)
class DeliveryRow(Output):
    component: ClassVar[str] = "WebhookDelivery"
    notes: ClassVar[dict[str, str]] = {
        "status": "PENDING while it will still be tried.",
        "statusCode": "The receiver's answer to the last attempt.",
        "payload": "What was posted; empty when it is not kept any more.",
    }

    id: UUID
    webhookId: UUID
    url: str
    event: str
    status: Literal["PENDING", "SUCCESS", "FAILED", "CANCELLED"]
    attempts: int
    statusCode: int | None
    latencyMs: int | None
    error: str | None
    payload: dict[str, Any]
    createdAt: datetime
    finishedAt: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryList(Output):
    component: ClassVar[str] = "WebhookDeliveryList"

    success: bool
    deliveries: list[DeliveryRow]
    nextCursor: str | None
