"""The request bodies and query parameters, as `contracts/iaqui-gateway.openapi.json` names them, with their limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from api.bodies import Body, body_field
from api.body_types import (
    Choice,
    EmailAddress,
    Flag,
    Moment,
    Structure,
    Structures,
    Text,
    Upload,
    WebAddress,
    Whole,
    WholeText,
    Word,
    Words,
)

TYPES: Final = ("WHATSAPP", "INSTAGRAM", "FACEBOOK")
MESSAGE_TYPES: Final = (
    *("text", "template", "interactive"),
    *("image", "video", "audio", "document", "sticker", "location"),
)
_CHANNEL: Final = "iq_chan_wa_soporte"
_ID: Final = Text(1, 64, strip=True)
FILE_TYPES: Final = ("image", "video", "audio", "document", "sticker")
_MEDIA: Final = Structure(tuple((name, {"type": "string"}) for name in ("link", "id", "file", "caption", "filename")))
_TEXT: Final = {"type": "string"}


@dataclass(frozen=True, slots=True)
class RegisterInput(Body):
    component: ClassVar[str] = "RegisterInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "A vendor": {"name": "Whatsaky SaaS", "email": "dev@whatsaky.com", "password": "secure_password_123"}
    }

    name: str = body_field("name", Text(1, 100, strip=True), help="Your company; customers see it.")
    email: str = body_field("email", EmailAddress(), help="You log in to the admin with it.")
    password: str = body_field("password", Text(10, 512), help="At least 10 characters, not a common password.")


@dataclass(frozen=True, slots=True)
class KeyInput(Body):
    component: ClassVar[str] = "KeyInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {"A key": {"keyName": "Production Key"}}

    key_name: str = body_field("keyName", Text(1, 80, strip=True), default="API key", help="To recognise it later.")
    scopes: list[str] | None = body_field(
        "scopes", Words(1, 20), default=None, help="What it may do; by default what the caller may."
    )
    account_id: str | None = body_field(
        "accountId", _ID, default=None, help="With HTTP Basic: which of your accounts, when there are several."
    )


@dataclass(frozen=True, slots=True)
class ChannelInput(Body):
    component: ClassVar[str] = "ChannelInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "WhatsApp": {
            "id": "iq_chan_client_new",
            "type": "WHATSAPP",
            "name": "Main Support Line",
            "systemUserAccessToken": "EAAQ3d8...",
            "wabaId": "89234802934",
            "phoneId": "82394829384",
        }
    }

    id: str = body_field("id", _ID, help="Your id of the channel; unique in your account, not a UUID.")
    type: str = body_field("type", Choice(TYPES))
    name: str = body_field("name", Text(1, 80, strip=True))
    token: str = body_field(
        "systemUserAccessToken", Text(1, 2000, strip=True), help="Checked at Meta, stored encrypted, never shown."
    )
    account_id: str | None = body_field("wabaId", _ID, default=None, help="Without it the channel has no templates.")
    phone_id: str | None = body_field(
        "phoneId", _ID, default=None, help="The phone number id, the page's or the Instagram account's id."
    )
    customer_id: str | None = body_field("customerId", _ID, default=None, help="The customer that it belongs to.")


@dataclass(frozen=True, slots=True)
class CustomerInput(Body):
    component: ClassVar[str] = "CustomerInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "A clinic": {
            "name": "Clínica DentalCare",
            "email": "contacto@dentalcare.com",
            "externalId": "client_crm_98234",
        }
    }

    name: str = body_field("name", Text(1, 120, strip=True))
    email: str | None = body_field("email", Text(3, 254, strip=True), default=None)
    external_id: str | None = body_field(
        "externalId", Text(1, 120, strip=True), default=None, help="Your id of the customer; unique in your account."
    )


@dataclass(frozen=True, slots=True)
class SetupLinkInput(Body):
    component: ClassVar[str] = "SetupLinkInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "A day": {
            "customerId": "0190b8a2-6c1e-7f3a-9a53-2f1b4c5d6e7f",
            "redirectUrl": "https://whatsaky.com/onboard/callback",
            "expiresInHours": 24,
        }
    }

    customer_id: str = body_field("customerId", _ID)
    redirect_url: str | None = body_field(
        "redirectUrl", WebAddress(), default=None, help="https; the result is appended, signed."
    )
    expires_in_hours: int = body_field("expiresInHours", Whole(1, 720), default=24)
    type: str | None = body_field(
        "type", Choice(TYPES), default=None, help="Offer this type only; by default the person chooses."
    )
    sandbox: bool = body_field("sandbox", Flag(), default=False, help="Simulate Meta's sign-up; test keys always do.")


@dataclass(frozen=True, slots=True)
class MessageInput(Body):
    component: ClassVar[str] = "MessageInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Text": {
            "channelId": _CHANNEL,
            "channelType": "WHATSAPP",
            "to": "5215512345678",
            "type": "text",
            "text": "¡Hola! Bienvenido al Gateway. 🚀",
        },
        "Template": {
            "channelId": _CHANNEL,
            "channelType": "WHATSAPP",
            "to": "5215512345678",
            "type": "template",
            "template": {
                "name": "factura_disponible_cta",
                "language": {"code": "es"},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "Ada"}]}],
            },
        },
        "Buttons": {
            "channelId": _CHANNEL,
            "channelType": "WHATSAPP",
            "to": "5215512345678",
            "type": "interactive",
            "interactive": {
                "type": "button",
                "body": {"text": "Shall we deliver on Friday?"},
                "action": {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]},
            },
        },
        "Image": {
            "channelId": _CHANNEL,
            "channelType": "WHATSAPP",
            "to": "5215512345678",
            "type": "image",
            "image": {"link": "https://example.com/photo.jpg", "caption": "Your receipt"},
        },
    }

    channel_id: str = body_field("channelId", _ID)
    channel_type: str = body_field("channelType", Choice(TYPES))
    to: str = body_field("to", Text(1, 128, strip=True), help="Phone number, or the person's id on the network.")
    type: str = body_field("type", Choice(MESSAGE_TYPES))
    text: str | None = body_field("text", Text(1, 4096), default=None)
    template: dict[str, Any] | None = body_field(
        "template",
        Structure(
            (
                ("name", _TEXT),
                ("language", {"type": "object", "properties": {"code": _TEXT}}),
                ("components", {"type": "array", "items": {"type": "object"}}),
            )
        ),
        default=None,
    )
    interactive: dict[str, Any] | None = body_field(
        "interactive",
        Structure((("type", {"type": "string", "enum": ["button", "list", "flow"]}),)),
        default=None,
        help="As Meta's Cloud API takes it.",
    )
    image: dict[str, Any] | None = body_field(
        "image",
        _MEDIA,
        default=None,
        help="One of link, id (the network's) and file (ours, from POST /files), and caption.",
    )
    video: dict[str, Any] | None = body_field("video", _MEDIA, default=None)
    audio: dict[str, Any] | None = body_field("audio", _MEDIA, default=None)
    document: dict[str, Any] | None = body_field("document", _MEDIA, default=None)
    sticker: dict[str, Any] | None = body_field("sticker", _MEDIA, default=None)
    location: dict[str, Any] | None = body_field("location", Structure(), default=None)
    reply_to: str | None = body_field(
        "replyTo", Text(1, 255), default=None, help="The network's id of the message that this answers."
    )
    by_person: bool = body_field(
        "byPerson",
        Flag(),
        default=False,
        help="A person wrote it: with Meta's Human Agent feature the window of Messenger and Instagram is 7 days.",
    )


@dataclass(frozen=True, slots=True)
class FileForm(Body):
    component: ClassVar[str] = "FileForm"

    file: Any = body_field("file", Upload(), help="The picture, document or recording itself.")
    type: str = body_field("type", Choice(FILE_TYPES))
    channel_type: str = body_field("channelType", Choice(TYPES), default="WHATSAPP", help="Whose limits are checked.")


@dataclass(frozen=True, slots=True)
class FileInput(Body):
    component: ClassVar[str] = "FileInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "A link": {"link": "https://example.com/photo.jpg", "type": "image", "channelType": "WHATSAPP"}
    }

    link: str = body_field("link", WebAddress(), help="Fetched once, now.")
    type: str = body_field("type", Choice(FILE_TYPES))
    channel_type: str = body_field("channelType", Choice(TYPES), default="WHATSAPP", help="Whose limits are checked.")


@dataclass(frozen=True, slots=True)
class TemplateInput(Body):
    component: ClassVar[str] = "TemplateInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Invoice": {
            "channelId": _CHANNEL,
            "name": "factura_disponible_cta",
            "language": "es",
            "category": "UTILITY",
            "components": [{"type": "BODY", "text": "Hola {{1}}, tu factura de {{2}} ya está lista."}],
        }
    }

    channel_id: str = body_field("channelId", _ID)
    name: str = body_field("name", Text(1, 600), help="a-z, 0-9 and _.")
    language: str = body_field("language", Text(1, 16), help="For instance es or en_US.")
    category: str = body_field("category", Word(("UTILITY", "AUTHENTICATION", "MARKETING")))
    components: list[dict[str, Any]] = body_field(
        "components", Structures(1, 10), help="As Meta takes them; missing example values are filled in."
    )
    parameter_format: str = body_field(
        "parameterFormat", Word(("POSITIONAL", "NAMED")), default="POSITIONAL", help="{{1}} or {{first_name}}."
    )


@dataclass(frozen=True, slots=True)
class PageQuery(Body):
    component: ClassVar[str] = "PageQuery"

    limit: int = body_field("limit", WholeText(1, 200), default=50)
    cursor: str | None = body_field("cursor", Text(1, 64), default=None, help="`nextCursor` of the page before.")


@dataclass(frozen=True, slots=True)
class CustomersQuery(PageQuery):
    component: ClassVar[str] = "CustomersQuery"

    external_id: str | None = body_field("externalId", Text(1, 120), default=None)
    email: str | None = body_field("email", Text(1, 254), default=None)
    name: str | None = body_field("name", Text(1, 120), default=None, help="The beginning of the name, in any case.")


@dataclass(frozen=True, slots=True)
class MessagesQuery(Body):
    component: ClassVar[str] = "MessagesQuery"

    channel_id: str | None = body_field("channelId", _ID, default=None)
    customer_id: str | None = body_field("customerId", _ID, default=None)
    direction: str | None = body_field("direction", Choice(("INBOUND", "OUTBOUND")), default=None)
    status: str | None = body_field(
        "status",
        Text(1, 16),
        default=None,
        help="queued, processing, sent, delivered, read, failed, cancelled or received.",
    )
    limit: int = body_field("limit", WholeText(1, 200), default=50)
    cursor: str | None = body_field("cursor", Text(1, 64), default=None, help="`nextCursor` of the page before.")


@dataclass(frozen=True, slots=True)
class TemplatesQuery(Body):
    component: ClassVar[str] = "TemplatesQuery"

    channel_id: str | None = body_field("channelId", _ID, default=None)
    sync: str = body_field("sync", Choice(("true", "false")), default="false", help="Read them from Meta first.")


@dataclass(frozen=True, slots=True)
class TemplateDeleteQuery(Body):
    component: ClassVar[str] = "TemplateDeleteQuery"

    channel_id: str = body_field("channelId", _ID)


@dataclass(frozen=True, slots=True)
class WebhookInput(Body):
    component: ClassVar[str] = "WebhookInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Everything": {
            "url": "https://api.my-crm.com/v1/events",
            "events": ["message.received", "message.status", "template.status_changed"],
            "secret": "my_secure_secret_key",
        }
    }

    url: str = body_field("url", WebAddress())
    events: list[str] = body_field("events", Words(1, 50), help="Names of events, or `*` for all.")
    secret: str | None = body_field("secret", Text(1, 256), default=None, help="Made by us when it is missing.")


@dataclass(frozen=True, slots=True)
class WebhookChange(Body):
    component: ClassVar[str] = "WebhookChange"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Other events": {"events": ["message.received", "message.status"]},
        "Switch it on again": {"isActive": True},
    }

    url: str | None = body_field("url", WebAddress(), default=None)
    events: list[str] | None = body_field("events", Words(1, 50), default=None, help="Names of events, or `*` for all.")
    is_active: bool | None = body_field(
        "isActive", Flag(), default=None, help="What waits goes on when it is switched on again."
    )


@dataclass(frozen=True, slots=True)
class SecretChange(Body):
    component: ClassVar[str] = "WebhookSecretChange"
    examples: ClassVar[dict[str, dict[str, Any]]] = {"A new secret": {"overlapHours": 24}}

    secret: str | None = body_field("secret", Text(1, 256), default=None, help="Made by us when it is missing.")
    overlap_hours: int = body_field(
        "overlapHours", Whole(0, 720), default=24, help="How long the old secret signs as well; 0: not at all."
    )


@dataclass(frozen=True, slots=True)
class ReplayInput(Body):
    component: ClassVar[str] = "WebhookReplayInput"
    examples: ClassVar[dict[str, dict[str, Any]]] = {"Since an outage": {"since": "2026-09-21T14:00:00Z"}}

    since: datetime = body_field("since", Moment())
    until: datetime | None = body_field("until", Moment(), default=None, help="By default now.")
    failed_only: bool = body_field(
        "failedOnly", Flag(), default=True, help="false: also those that you have received already."
    )


@dataclass(frozen=True, slots=True)
class DeliveriesQuery(Body):
    component: ClassVar[str] = "DeliveriesQuery"

    webhook_id: str | None = body_field("webhookId", _ID, default=None)
    status: str | None = body_field("status", Choice(("SUCCESS", "FAILED")), default=None)
    event: str | None = body_field("event", Text(1, 40), default=None)
    limit: int = body_field("limit", WholeText(1, 200), default=50)
    cursor: str | None = body_field("cursor", Text(1, 64), default=None, help="`nextCursor` of the page before.")
