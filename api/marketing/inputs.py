"""The request bodies and query parameters, as `contracts/sendwave-pro.md` names them, with their limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, ClassVar, Final

from api.bodies import Body, body_field
from api.body_types import Choice, Flag, ListOf, Moment, Structure, Text, TextMap, WebAddress, Whole, WholeText, Words
from api.date_types import Clock, Day, DayOrMoment, FlagText, Wholes
from api.marketing.pagination import PageQuery

STATUSES: Final = ("pending", "sent", "delivered", "read", "failed", "cancelled")
CATEGORIES: Final = (
    *("marketing", "notifications", "alerts", "reminders"),
    *("confirmations", "promotions", "other"),
)
ROLES: Final = ("admin", "manager", "sender", "viewer")
PERMISSIONS: Final = (
    *("send_sms", "view_history", "manage_contacts", "manage_groups"),
    *("create_campaigns", "view_analytics", "manage_templates", "export_data"),
)
RECIPIENTS_MOST: Final = 10_000
_NAME: Final = Text(1, 120, strip=True)
_EMAIL: Final = Text(3, 254, strip=True)
_PASSWORD: Final = Text(1, 512)
_PHONE: Final = Text(1, 40, strip=True)
_TEXT: Final = Text(1, 4096)
_ID: Final = Whole(1, 2**53)
_Examples = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Form(Body):
    """Base of this surface's bodies: null says nothing, as for the programs that the document comes from."""

    component: ClassVar[str] = "Form"
    null_is_absent: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class RegisterInput(Form):
    component: ClassVar[str] = "RegisterInput"
    examples: ClassVar[_Examples] = {
        "A person": {
            "name": "John Doe",
            "email": "john@example.com",
            "password": "password123",
            "password_confirmation": "password123",
        }
    }

    name: str = body_field("name", Text(1, 100, strip=True), help="Yours; the organisation is called so too.")
    email: str = body_field("email", _EMAIL)
    password: str = body_field("password", _PASSWORD, help="At least 8 characters.")
    password_confirmation: str = body_field("password_confirmation", _PASSWORD)
    country: str | None = body_field(
        "country", Text(2, 2), default=None, help="Whose numbers are read without a country code, such as GA."
    )


@dataclass(frozen=True, slots=True)
class LoginInput(Form):
    component: ClassVar[str] = "LoginInput"
    examples: ClassVar[_Examples] = {"A person": {"email": "john@example.com", "password": "password123"}}

    email: str = body_field("email", _EMAIL)
    password: str = body_field("password", _PASSWORD)
    organization: str | None = body_field(
        "organization", Text(1, 63, strip=True), default=None, help="Short name, for members of several organisations."
    )


@dataclass(frozen=True, slots=True)
class ContactsQuery(PageQuery):
    component: ClassVar[str] = "ContactsQuery"

    search: str | None = body_field(
        "search", Text(0, 160), default=None, help="Beginning of the name, number or e-mail address."
    )
    status: str | None = body_field("status", Choice(("active", "inactive")), default=None)
    group: str | None = body_field("group", Text(1, 80, strip=True), default=None, help="Name of a group.")
    group_id: int | None = body_field("group_id", WholeText(1, 2**53), default=None)
    tag: str | None = body_field("tag", Text(1, 40, strip=True), default=None)


_CONTACT: Final = {
    "name": "Alice Smith",
    "email": "alice@example.com",
    "phone": "+24162000000",
    "group": "Clients",
    "status": "active",
    "custom_fields": {"company": "ABC Corp"},
}


@dataclass(frozen=True, slots=True)
class ContactInput(Form):
    component: ClassVar[str] = "ContactInput"
    examples: ClassVar[_Examples] = {"A contact": _CONTACT}

    name: str = body_field("name", Text(1, 160, strip=True))
    phone: str = body_field("phone", _PHONE)
    email: str | None = body_field("email", Text(0, 254, strip=True), default=None)
    group: str | None = body_field("group", Text(0, 80, strip=True), default=None, help="Made when there is none.")
    status: str | None = body_field("status", Choice(("active", "inactive")), default=None)
    custom_fields: dict[str, Any] | None = body_field("custom_fields", Structure(), default=None)
    tags: list[str] | None = body_field("tags", Words(0, 50), default=None)
    language: str | None = body_field("language", Text(0, 10, strip=True), default=None)
    timezone: str | None = body_field("timezone", Text(0, 40, strip=True), default=None)


@dataclass(frozen=True, slots=True)
class ContactChange(Form):
    component: ClassVar[str] = "ContactChange"
    examples: ClassVar[_Examples] = {"Two fields": {"name": "Alice Johnson", "status": "inactive"}}

    name: str | None = body_field("name", Text(1, 160, strip=True), default=None)
    phone: str | None = body_field("phone", _PHONE, default=None)
    email: str | None = body_field("email", Text(0, 254, strip=True), default=None)
    group: str | None = body_field("group", Text(0, 80, strip=True), default=None, help="Empty: no main group.")
    status: str | None = body_field("status", Choice(("active", "inactive")), default=None)
    custom_fields: dict[str, Any] | None = body_field(
        "custom_fields", Structure(), default=None, help="Merged into those that are there; null removes one."
    )
    tags: list[str] | None = body_field("tags", Words(0, 50), default=None)
    language: str | None = body_field("language", Text(0, 10, strip=True), default=None)
    timezone: str | None = body_field("timezone", Text(0, 40, strip=True), default=None)


@dataclass(frozen=True, slots=True)
class GroupInput(Form):
    component: ClassVar[str] = "ContactGroupInput"
    examples: ClassVar[_Examples] = {"A group": {"name": "VIP Clients", "description": "High-value customers"}}

    name: str = body_field("name", Text(1, 80, strip=True))
    description: str = body_field("description", Text(0, 300), default="")


@dataclass(frozen=True, slots=True)
class GroupChangeInput(Form):
    component: ClassVar[str] = "ContactGroupChangeInput"

    name: str | None = body_field("name", Text(1, 80, strip=True), default=None)
    description: str | None = body_field("description", Text(0, 300), default=None)


@dataclass(frozen=True, slots=True)
class MembersInput(Form):
    component: ClassVar[str] = "ContactGroupMembersInput"
    examples: ClassVar[_Examples] = {"Four": {"contact_ids": [1, 2, 3, 4]}}

    contact_ids: list[int] = body_field("contact_ids", Wholes(1, RECIPIENTS_MOST))


@dataclass(frozen=True, slots=True)
class CampaignsQuery(PageQuery):
    component: ClassVar[str] = "CampaignsQuery"

    status: str | None = body_field(
        "status",
        Choice(("draft", "scheduled", "running", "paused", "completed", "failed", "cancelled")),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class CampaignInput(Form):
    component: ClassVar[str] = "CampaignInput"
    examples: ClassVar[_Examples] = {
        "At a time": {
            "name": "Black Friday Sale",
            "message_content": "🎉 50% OFF everything! Visit our store today.",
            "scheduled_at": "2027-11-26T09:00:00Z",
        }
    }

    name: str = body_field("name", _NAME)
    message_content: str = body_field("message_content", _TEXT, help="May hold variables such as {nom}.")
    scheduled_at: datetime | None = body_field("scheduled_at", Moment(), default=None, help="Sent once at this time.")
    recipients: list[str] | None = body_field("recipients", Words(1, RECIPIENTS_MOST, _PHONE), default=None)
    contact_ids: list[int] | None = body_field("contact_ids", Wholes(1, RECIPIENTS_MOST), default=None)
    group_ids: list[int] | None = body_field("group_ids", Wholes(1, 1000), default=None)
    segment_id: int | None = body_field("segment_id", _ID, default=None)
    channel_id: int | None = body_field("channel_id", _ID, default=None, help="By default the SMS channel.")
    category: str = body_field(
        "category", Choice(("marketing", "utility")), default="marketing", help="Marketing respects opt-outs from it."
    )
    timezone: str | None = body_field("timezone", Text(1, 40), default=None, help="By default the organisation's.")


@dataclass(frozen=True, slots=True)
class CampaignChange(Form):
    component: ClassVar[str] = "CampaignChange"

    name: str | None = body_field("name", _NAME, default=None)
    message_content: str | None = body_field("message_content", _TEXT, default=None)
    recipients: list[str] | None = body_field("recipients", Words(1, RECIPIENTS_MOST, _PHONE), default=None)
    contact_ids: list[int] | None = body_field("contact_ids", Wholes(1, RECIPIENTS_MOST), default=None)
    group_ids: list[int] | None = body_field("group_ids", Wholes(1, 1000), default=None)
    segment_id: int | None = body_field("segment_id", _ID, default=None)
    channel_id: int | None = body_field("channel_id", _ID, default=None)
    category: str | None = body_field("category", Choice(("marketing", "utility")), default=None)
    timezone: str | None = body_field("timezone", Text(1, 40), default=None)


@dataclass(frozen=True, slots=True)
class CampaignSendInput(Form):
    component: ClassVar[str] = "CampaignSendInput"
    examples: ClassVar[_Examples] = {
        "Two numbers": {
            "recipients": ["+24162000001", "+24177000002"],
            "message": "Hello {nom}, check out our new products!",
        }
    }

    recipients: list[str] | None = body_field(
        "recipients",
        Words(1, RECIPIENTS_MOST, _PHONE),
        default=None,
        help="Required unless the campaign has recipients of its own.",
    )
    message: str | None = body_field("message", _TEXT, default=None, help="By default the campaign's.")
    all_contacts: bool = body_field("all_contacts", Flag(), default=False, help="To every active contact.")


@dataclass(frozen=True, slots=True)
class ScheduleInput(Form):
    component: ClassVar[str] = "ScheduleInput"
    examples: ClassVar[_Examples] = {
        "Mondays": {
            "frequency": "weekly",
            "day_of_week": 1,
            "time": "09:00",
            "start_date": "2027-01-04",
            "end_date": "2027-12-31",
            "is_active": True,
        }
    }

    frequency: str = body_field("frequency", Choice(("once", "daily", "weekly", "monthly")))
    time: time = body_field("time", Clock())
    start_date: date = body_field("start_date", Day())
    end_date: date | None = body_field("end_date", Day(), default=None)
    day_of_week: int | None = body_field("day_of_week", Whole(0, 6), default=None, help="0 is Sunday.")
    day_of_month: int | None = body_field("day_of_month", Whole(1, 31), default=None)
    interval: int = body_field("interval", Whole(1, 366), default=1, help="Every so many days, weeks or months.")
    timezone: str | None = body_field("timezone", Text(1, 40), default=None, help="By default the campaign's.")
    is_active: bool = body_field("is_active", Flag(), default=True)


@dataclass(frozen=True, slots=True)
class VariantItem(Form):
    component: ClassVar[str] = "VariantInput"

    variant_name: str = body_field("variant_name", Text(1, 60, strip=True))
    message: str = body_field("message", _TEXT)
    percentage: int = body_field("percentage", Whole(1, 100))


@dataclass(frozen=True, slots=True)
class VariantsInput(Form):
    component: ClassVar[str] = "VariantsInput"
    examples: ClassVar[_Examples] = {
        "Halves": {
            "variants": [
                {"variant_name": "Version A", "message": "Get 20% OFF now!", "percentage": 50},
                {"variant_name": "Version B", "message": "Limited time: 20% discount!", "percentage": 50},
            ]
        }
    }

    variants: list[VariantItem] = body_field("variants", ListOf(VariantItem, 2, 10))


@dataclass(frozen=True, slots=True)
class DuplicateInput(Form):
    component: ClassVar[str] = "DuplicateInput"

    name: str | None = body_field("name", _NAME, default=None)


@dataclass(frozen=True, slots=True)
class ResultsQuery(PageQuery):
    component: ClassVar[str] = "ResultsQuery"

    run_id: int | None = body_field("run_id", WholeText(1, 2**53), default=None, help="By default the newest run.")
    status: str | None = body_field("status", Choice(STATUSES), default=None)


@dataclass(frozen=True, slots=True)
class SendInput(Form):
    component: ClassVar[str] = "SendInput"
    examples: ClassVar[_Examples] = {
        "Two numbers": {
            "recipients": ["+24162000001", "+24177000002"],
            "message": "Your verification code is: 123456",
        }
    }

    recipients: list[str] = body_field("recipients", Words(1, RECIPIENTS_MOST, Text(0, 64)))
    message: str = body_field("message", _TEXT, help="May hold variables: filled for numbers that are contacts.")
    channel_id: int | None = body_field("channel_id", _ID, default=None, help="By default the SMS channel.")


@dataclass(frozen=True, slots=True)
class AnalyzeInput(Form):
    component: ClassVar[str] = "AnalyzeInput"
    examples: ClassVar[_Examples] = {"Three numbers": {"phone_numbers": ["+24162000001", "+24177000002", "0777000003"]}}

    phone_numbers: list[str] = body_field("phone_numbers", Words(1, RECIPIENTS_MOST, Text(0, 64)))


@dataclass(frozen=True, slots=True)
class HistoryQuery(PageQuery):
    component: ClassVar[str] = "HistoryQuery"

    status: str | None = body_field("status", Choice(STATUSES), default=None)
    start_date: date | datetime | None = body_field("start_date", DayOrMoment(), default=None)
    end_date: date | datetime | None = body_field("end_date", DayOrMoment(), default=None, help="Included.")
    recipient: str | None = body_field("recipient", _PHONE, default=None)
    campaign_id: int | None = body_field("campaign_id", WholeText(1, 2**53), default=None)


@dataclass(frozen=True, slots=True)
class ExportQuery(Form):
    component: ClassVar[str] = "ExportQuery"

    format: str = body_field("format", Choice(("csv", "xlsx", "json")), default="csv")
    status: str | None = body_field("status", Choice(STATUSES), default=None)
    start_date: date | datetime | None = body_field("start_date", DayOrMoment(), default=None)
    end_date: date | datetime | None = body_field("end_date", DayOrMoment(), default=None, help="Included.")
    recipient: str | None = body_field("recipient", _PHONE, default=None)
    campaign_id: int | None = body_field("campaign_id", WholeText(1, 2**53), default=None)


@dataclass(frozen=True, slots=True)
class TemplatesQuery(PageQuery):
    component: ClassVar[str] = "TemplatesQuery"

    category: str | None = body_field("category", Choice(CATEGORIES), default=None)
    is_public: bool | None = body_field("is_public", FlagText(), default=None)


@dataclass(frozen=True, slots=True)
class TemplateInput(Form):
    component: ClassVar[str] = "TemplateInput"
    examples: ClassVar[_Examples] = {
        "A welcome": {
            "name": "Welcome Message",
            "content": "Bonjour {nom}, bienvenue chez nous! Votre email: {email}",
            "category": "notifications",
            "is_public": False,
        }
    }

    name: str = body_field("name", _NAME)
    content: str = body_field("content", _TEXT)
    category: str = body_field("category", Choice(CATEGORIES), default="other")
    is_public: bool = body_field("is_public", Flag(), default=False, help="For everybody in the organisation.")


@dataclass(frozen=True, slots=True)
class TemplateChange(Form):
    component: ClassVar[str] = "TemplateChange"

    name: str | None = body_field("name", _NAME, default=None)
    content: str | None = body_field("content", _TEXT, default=None)
    category: str | None = body_field("category", Choice(CATEGORIES), default=None)
    is_public: bool | None = body_field("is_public", Flag(), default=None)


@dataclass(frozen=True, slots=True)
class PreviewInput(Form):
    component: ClassVar[str] = "PreviewInput"
    examples: ClassVar[_Examples] = {
        "With braces": {"sample_data": {"{nom}": "Jean Dupont", "{email}": "jean@example.com"}}
    }

    sample_data: dict[str, str] = body_field(
        "sample_data", TextMap(), default=None, help="Names with or without braces."
    )


@dataclass(frozen=True, slots=True)
class SubAccountInput(Form):
    component: ClassVar[str] = "SubAccountInput"
    examples: ClassVar[_Examples] = {
        "A manager": {
            "name": "Manager User",
            "email": "manager@example.com",
            "password": "secure123",
            "role": "manager",
            "sms_credit_limit": 1000,
        }
    }

    name: str = body_field("name", Text(1, 120, strip=True))
    email: str = body_field("email", _EMAIL)
    password: str = body_field("password", _PASSWORD, help="At least 8 characters.")
    role: str = body_field("role", Choice(ROLES))
    sms_credit_limit: int | None = body_field("sms_credit_limit", Whole(0, 1_000_000_000), default=None)
    permissions: list[str] | None = body_field(
        "permissions", Words(0, 20), default=None, help="By default those of the role."
    )


@dataclass(frozen=True, slots=True)
class PermissionsInput(Form):
    component: ClassVar[str] = "PermissionsInput"
    examples: ClassVar[_Examples] = {"Three": {"permissions": ["send_sms", "view_history", "manage_contacts"]}}

    permissions: list[str] = body_field("permissions", Words(0, 20))


@dataclass(frozen=True, slots=True)
class CreditsInput(Form):
    component: ClassVar[str] = "CreditsInput"
    examples: ClassVar[_Examples] = {"Five hundred": {"amount": 500}}

    amount: int = body_field("amount", Whole(1, 1_000_000_000))


@dataclass(frozen=True, slots=True)
class WebhookInput(Form):
    component: ClassVar[str] = "WebhookInput"
    examples: ClassVar[_Examples] = {
        "Two events": {
            "name": "My Integration",
            "url": "https://myapp.com/webhooks/sendwave",
            "events": ["message.sent", "campaign.completed"],
            "secret": "optional_custom_secret",
            "retry_limit": 3,
            "timeout": 30,
            "is_active": True,
        }
    }

    name: str = body_field("name", Text(1, 120, strip=True))
    url: str = body_field("url", WebAddress())
    events: list[str] = body_field("events", Words(1, 50))
    secret: str | None = body_field("secret", Text(1, 256), default=None, help="Made when none is given.")
    retry_limit: int = body_field("retry_limit", Whole(0, 10), default=3)
    timeout: int = body_field("timeout", Whole(1, 30), default=30, help="Seconds.")
    is_active: bool = body_field("is_active", Flag(), default=True)


@dataclass(frozen=True, slots=True)
class WebhookChange(Form):
    component: ClassVar[str] = "WebhookChange"
    examples: ClassVar[_Examples] = {
        "Other events": {"events": ["message.sent", "message.failed", "contact.created"], "is_active": False}
    }

    name: str | None = body_field("name", Text(1, 120, strip=True), default=None)
    url: str | None = body_field("url", WebAddress(), default=None)
    events: list[str] | None = body_field("events", Words(1, 50), default=None)
    secret: str | None = body_field("secret", Text(1, 256), default=None)
    retry_limit: int | None = body_field("retry_limit", Whole(0, 10), default=None)
    timeout: int | None = body_field("timeout", Whole(1, 30), default=None)
    is_active: bool | None = body_field("is_active", Flag(), default=None)


@dataclass(frozen=True, slots=True)
class LogsQuery(PageQuery):
    component: ClassVar[str] = "LogsQuery"

    event: str | None = body_field("event", Text(1, 40, strip=True), default=None)
    success: bool | None = body_field("success", FlagText(), default=None)


@dataclass(frozen=True, slots=True)
class BlacklistInput(Form):
    component: ClassVar[str] = "BlacklistInput"
    examples: ClassVar[_Examples] = {"An opt-out": {"phone_number": "+24162000000", "reason": "Requested opt-out"}}

    phone_number: str = body_field("phone_number", _PHONE)
    reason: str = body_field("reason", Text(0, 200), default="")


@dataclass(frozen=True, slots=True)
class PhoneInput(Form):
    component: ClassVar[str] = "PhoneInput"
    examples: ClassVar[_Examples] = {"A number": {"phone_number": "+24162000000"}}

    phone_number: str = body_field("phone_number", _PHONE)


@dataclass(frozen=True, slots=True)
class AuditQuery(PageQuery):
    component: ClassVar[str] = "AuditQuery"

    action: str | None = body_field("action", Text(1, 60, strip=True), default=None)
    start_date: date | datetime | None = body_field("start_date", DayOrMoment(), default=None)
    end_date: date | datetime | None = body_field("end_date", DayOrMoment(), default=None, help="Included.")
    model_type: str | None = body_field("model_type", Text(1, 120, strip=True), default=None)
    model_id: int | None = body_field("model_id", WholeText(1, 2**53), default=None)
