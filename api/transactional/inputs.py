"""The request bodies of the transactional API, as `contracts/reachflow.openapi.json` names them, with their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from api.bodies import Body, body_field
from api.body_types import Choice, Flag, Identifier, ListOf, Moment, Text, TextMap, WebAddress, Whole

MAX_RECIPIENTS: Final = 10_000
# WhatsApp: text bodies 4096 characters, captions 1024 (Cloud API reference, message types).
MAX_TEXT: Final = 4096
MAX_CAPTION: Final = 1024
_PROVIDER: Final = "a3f1b2c4-1234-4abc-9def-000011112222"
_SAVE: Final = "Also keep the recipient as a contact (found or created)."
_VARIABLES: Final = "Values for {{key}} in the text; every key that the text uses needs one."
_PHONE: Final = Text(8, 20, strip=True)


@dataclass(frozen=True, slots=True)
class SendMessageInput(Body):
    component: ClassVar[str] = "PublicSendMessage"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Plain text": {"providerId": _PROVIDER, "to": "22996123456", "message": "Hello from the shop!"},
        "With variables, later": {
            "providerId": _PROVIDER,
            "to": "+229 96 12 34 56",
            "message": "Hello {{name}}, your parcel is here.",
            "variables": {"name": "Awa"},
            "scheduleAt": "2027-01-31T09:00:00+01:00",
            "saveContact": True,
        },
    }

    provider_id: UUID = body_field("providerId", Identifier(), help="The sending provider.")
    to: str = body_field("to", _PHONE, help="The recipient's number, 8 to 20 characters, international or national.")
    message: str = body_field("message", Text(1, MAX_TEXT), help="The text; {{key}} is replaced from `variables`.")
    variables: Mapping[str, str] | None = body_field("variables", TextMap(), default=None, help=_VARIABLES)
    schedule_at: datetime | None = body_field(
        "scheduleAt", Moment(), default=None, help="Send later: a time with a zone, at most a year ahead."
    )
    save_contact: bool = body_field("saveContact", Flag(), default=False, help=_SAVE)


@dataclass(frozen=True, slots=True)
class SendMediaInput(Body):
    component: ClassVar[str] = "PublicSendMedia"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Image": {
            "providerId": _PROVIDER,
            "to": "22996123456",
            "mediaUrl": "https://example.com/photo.jpg",
            "mediaType": "image",
            "caption": "Your receipt",
        }
    }

    provider_id: UUID = body_field("providerId", Identifier(), help="The sending provider.")
    to: str = body_field("to", _PHONE, help="The recipient's number, 8 to 20 characters, international or national.")
    media_url: str = body_field("mediaUrl", WebAddress(), help="A public http or https address of the file.")
    media_type: str = body_field("mediaType", Choice(("image", "document", "audio", "video")))
    caption: str | None = body_field(
        "caption", Text(0, MAX_CAPTION), default=None, help="Text below the file; not possible for audio."
    )
    save_contact: bool = body_field("saveContact", Flag(), default=False, help=_SAVE)


@dataclass(frozen=True, slots=True)
class RecipientInput(Body):
    component: ClassVar[str] = "PublicBulkRecipient"

    # A number that is too short or too long is a rejection of this recipient, not of the whole request.
    to: str = body_field("to", Text(0, 64, strip=True), help="The recipient's number.")
    variables: Mapping[str, str] | None = body_field("variables", TextMap(), default=None, help=_VARIABLES)


@dataclass(frozen=True, slots=True)
class SendBulkInput(Body):
    component: ClassVar[str] = "PublicSendBulk"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "Two recipients": {
            "providerId": _PROVIDER,
            "messageTemplate": "Hello {{name}}, we open at {{time}}.",
            "recipients": [
                {"to": "22996123456", "variables": {"name": "Awa", "time": "9:00"}},
                {"to": "22997654321", "variables": {"name": "Koffi", "time": "10:00"}},
            ],
        }
    }

    provider_id: UUID = body_field("providerId", Identifier(), help="The sending provider.")
    message_template: str = body_field(
        "messageTemplate", Text(1, MAX_TEXT), help="The text with its {{key}} variables."
    )
    recipients: list[RecipientInput] = body_field(
        "recipients",
        ListOf(RecipientInput, 1, MAX_RECIPIENTS),
        help="Those who cannot be written to come back in `rejections`.",
    )
    schedule_at: datetime | None = body_field(
        "scheduleAt", Moment(), default=None, help="Send later: a time with a zone, at most a year ahead."
    )
    save_contact: bool = body_field("saveContact", Flag(), default=False, help=_SAVE)


@dataclass(frozen=True, slots=True)
class OtpSendInput(Body):
    component: ClassVar[str] = "PublicOtpSend"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "With a brand": {
            "providerId": _PROVIDER,
            "phoneNumber": "22996123456",
            "brandName": "My App",
            "codeLength": 6,
            "expiresIn": 300,
        }
    }

    provider_id: UUID = body_field("providerId", Identifier(), help="The sending provider.")
    phone_number: str = body_field("phoneNumber", _PHONE, help="The number to verify.")
    code_length: int = body_field("codeLength", Whole(4, 10), default=6, help="Number of digits.")
    expires_in: int = body_field("expiresIn", Whole(30, 3600), default=300, help="Seconds until the code is useless.")
    brand_name: str | None = body_field(
        "brandName",
        Text(1, 64, strip=True),
        default=None,
        help="Stands for {{brand}}; the organisation's name if absent.",
    )
    template: str | None = body_field(
        "template",
        Text(1, 1024),
        default=None,
        help="Your own text. It must contain {{code}} and may contain {{brand}}. "
        "Default: “Your {{brand}} verification code: {{code}}”, in the organisation's language.",
    )
    save_contact: bool = body_field("saveContact", Flag(), default=False, help=_SAVE)


@dataclass(frozen=True, slots=True)
class OtpVerifyInput(Body):
    component: ClassVar[str] = "PublicOtpVerify"
    examples: ClassVar[dict[str, dict[str, Any]]] = {
        "A code": {"otpId": "c4d5e6f7-8901-42ab-9def-333344445555", "code": "482910"}
    }

    otp_id: UUID = body_field("otpId", Identifier())
    code: str = body_field("code", Text(1, 32, strip=True), help="What the person typed.")
