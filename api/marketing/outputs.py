"""The rows of the marketing API's answers, as `contracts/sendwave-pro.md` names their fields and beyond."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from api.outputs import Output

CampaignState = Literal["draft", "scheduled", "running", "paused", "completed", "failed", "cancelled"]
MessageState = Literal["pending", "sent", "delivered", "read", "failed", "cancelled"]
MemberState = Literal["active", "suspended"]


@dataclass(frozen=True, slots=True)
class Refusal(Output):
    component: ClassVar[str] = "Refusal"
    left_out: ClassVar[frozenset[str]] = frozenset({"errors"})
    notes: ClassVar[dict[str, str]] = {"errors": "A field's name -> what is wrong with it, a list of texts."}

    message: str
    errors: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Meta(Output):
    component: ClassVar[str] = "Meta"

    page: int
    per_page: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Done(Output):
    component: ClassVar[str] = "Done"

    message: str


@dataclass(frozen=True, slots=True)
class Nothing(Output):
    """204: no body."""

    component: ClassVar[str] = "Nothing"


@dataclass(frozen=True, slots=True)
class UserRow(Output):
    component: ClassVar[str] = "User"

    id: int
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class LoginData(Output):
    component: ClassVar[str] = "LoginData"
    notes: ClassVar[dict[str, str]] = {"token": "Shown only here.", "organization": "Short name of the organisation."}

    user: UserRow
    token: str
    organization: str
    role: str
    permissions: list[str]


@dataclass(frozen=True, slots=True)
class MeData(Output):
    component: ClassVar[str] = "Me"

    id: int
    name: str
    email: str
    user: UserRow
    organization: str
    organization_name: str
    sub_account_id: int
    role: str
    permissions: list[str]
    time_zone: str
    country: str


@dataclass(frozen=True, slots=True)
class ContactRow(Output):
    component: ClassVar[str] = "Contact"
    notes: ClassVar[dict[str, str]] = {"group": "Name of the main group.", "phone": "E.164."}

    id: int
    name: str
    email: str | None
    phone: str | None
    group: str | None
    status: Literal["active", "inactive"]
    custom_fields: dict[str, Any]
    tags: list[str]
    language: str | None
    timezone: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GroupRow(Output):
    component: ClassVar[str] = "ContactGroup"

    id: int
    name: str
    description: str
    contacts_count: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GroupChange(Output):
    component: ClassVar[str] = "ContactGroupChange"
    notes: ClassVar[dict[str, str]] = {"changed": "Contacts that were added or removed; unknown ids are passed over."}

    id: int
    changed: int
    contacts_count: int


@dataclass(frozen=True, slots=True)
class ImportError(Output):  # noqa: A001  the name of its schema
    component: ClassVar[str] = "ImportError"

    row: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class ImportRow(Output):
    component: ClassVar[str] = "Import"
    notes: ClassVar[dict[str, str]] = {
        "status_url": "Ask here while the status is pending or running.",
        "errors": "The first rows that could not be imported.",
    }

    id: int
    status: str
    total: int
    imported: int
    created: int
    updated: int
    skipped: int
    failed: int
    percent_done: float
    errors: list[ImportError]
    status_url: str


@dataclass(frozen=True, slots=True)
class ScheduleRow(Output):
    component: ClassVar[str] = "Schedule"
    notes: ClassVar[dict[str, str]] = {"next_runs": "The next ten, in UTC.", "day_of_week": "0 is Sunday."}

    campaign_id: int
    frequency: Literal["once", "daily", "weekly", "monthly"]
    day_of_week: int | None
    day_of_month: int | None
    interval: int
    time: str
    start_date: str
    end_date: str | None
    timezone: str
    is_active: bool
    next_run_at: datetime | None
    next_runs: list[datetime]


@dataclass(frozen=True, slots=True)
class VariantRow(Output):
    component: ClassVar[str] = "Variant"

    id: int
    variant_name: str
    message: str
    percentage: int


@dataclass(frozen=True, slots=True)
class CampaignNumbers(Output):
    component: ClassVar[str] = "CampaignNumbers"

    recipients: int
    queued: int
    sent: int
    delivered: int
    read: int
    failed: int
    cancelled: int
    skipped: int


@dataclass(frozen=True, slots=True)
class CampaignRow(Output):
    component: ClassVar[str] = "Campaign"
    notes: ClassVar[dict[str, str]] = {
        "results": "Of the newest run.",
        "recipients": "How the recipients are chosen.",
        "run_id": "The newest run.",
    }

    id: int
    name: str
    message_content: str
    status: CampaignState
    status_reason: str | None
    channel_id: int
    category: Literal["marketing", "utility"]
    recipients: Literal["list", "contacts", "groups", "segment", "all"]
    timezone: str
    scheduled_at: datetime | None
    schedule: ScheduleRow | None
    variants: list[VariantRow]
    run_id: int | None
    results: CampaignNumbers | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class CampaignSent(Output):
    component: ClassVar[str] = "CampaignSent"
    notes: ClassVar[dict[str, str]] = {
        "total": "Recipients of the request; null when the campaign's own audience is used.",
        "duplicates": "Named more than once.",
        "invalid": "Not phone numbers.",
    }

    campaign_id: int
    run_id: int
    status: CampaignState
    total: int | None
    duplicates: int
    invalid: int


@dataclass(frozen=True, slots=True)
class CampaignResults(Output):
    component: ClassVar[str] = "CampaignResults"
    notes: ClassVar[dict[str, str]] = {
        "skipped": "Reason -> how many got no message.",
        "by_variant": "Variant's name -> its numbers.",
        "messages": "One page of recipients, the newest first.",
    }

    campaign_id: int
    run_id: int
    status: str
    results: CampaignNumbers
    skipped: dict[str, Any]
    by_variant: dict[str, Any]
    messages: list[MessageRow]


@dataclass(frozen=True, slots=True)
class MessageRow(Output):
    component: ClassVar[str] = "Message"

    id: int
    uuid: str
    recipient: str
    contact_id: int | None
    contact_name: str | None
    message: str
    status: MessageState
    operator: str
    sms_count: int
    cost: float
    channel: str
    campaign_run_id: int | None
    error: str | None
    error_code: str | None
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Unsent(Output):
    component: ClassVar[str] = "Unsent"

    recipient: str
    code: str
    error: str


@dataclass(frozen=True, slots=True)
class SendData(Output):
    component: ClassVar[str] = "SendData"
    notes: ClassVar[dict[str, str]] = {
        "sent": "Accepted for sending; with `Prefer: wait=N` what had left within N seconds.",
        "pending": "With `Prefer: wait=N`: accepted, and not decided yet.",
        "sms_count": "Segments of each message.",
        "by_operator": "Operator -> recipients.",
        "failures": "Who gets nothing, and why.",
    }

    total: int
    sent: int
    failed: int
    pending: int
    sms_count: int
    total_cost: float
    by_operator: dict[str, Any]
    message_ids: list[int]
    failures: list[Unsent]


@dataclass(frozen=True, slots=True)
class AnalyzedNumber(Output):
    component: ClassVar[str] = "AnalyzedNumber"

    phone: str
    operator: str
    is_valid: bool


@dataclass(frozen=True, slots=True)
class AnalysisData(Output):
    component: ClassVar[str] = "AnalysisData"

    total: int
    airtel_count: int
    moov_count: int
    unknown_count: int
    by_operator: dict[str, Any]
    details: list[AnalyzedNumber]


@dataclass(frozen=True, slots=True)
class TemplateRow(Output):
    component: ClassVar[str] = "Template"
    notes: ClassVar[dict[str, str]] = {"usage_count": "How often it was used.", "variables": "Without braces."}

    id: int
    name: str
    content: str
    category: str
    is_public: bool
    usage_count: int
    variables: list[str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PreviewData(Output):
    component: ClassVar[str] = "TemplatePreview"

    template_id: int
    original: str
    preview: str
    variables: list[str]
    sms_count: int
    encoding: str
    length: int


@dataclass(frozen=True, slots=True)
class SubAccountRow(Output):
    component: ClassVar[str] = "SubAccount"
    notes: ClassVar[dict[str, str]] = {
        "sms_credit_limit": "What the sub-account may spend at most; null: no limit of its own.",
        "has_own_permissions": "False: the permissions are those of the role.",
    }

    id: int
    user_id: int
    name: str
    email: str
    role: str
    status: MemberState
    permissions: list[str]
    has_own_permissions: bool
    sms_credit_limit: float | None
    credits: float | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CreditData(Output):
    component: ClassVar[str] = "SubAccountCredits"

    id: int
    added: float
    credits: float


@dataclass(frozen=True, slots=True)
class DeliveryLog(Output):
    component: ClassVar[str] = "WebhookLog"

    id: int
    event: str
    success: bool
    status: str
    status_code: int | None
    attempts: int
    response_time_ms: int | None
    error: str | None
    payload: dict[str, Any]
    triggered_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookRow(Output):
    component: ClassVar[str] = "Webhook"
    left_out: ClassVar[frozenset[str]] = frozenset({"secret", "logs"})
    notes: ClassVar[dict[str, str]] = {
        "secret": "Only in the answer that created it.",
        "logs": "The last ten deliveries, in the answer for one webhook.",
    }

    id: int
    name: str
    url: str
    events: list[str]
    retry_limit: int
    timeout: int
    is_active: bool
    disabled_reason: str | None
    last_triggered_at: datetime | None
    created_at: datetime
    secret: str | None = None
    logs: list[DeliveryLog] | None = None


@dataclass(frozen=True, slots=True)
class EventCount(Output):
    component: ClassVar[str] = "EventCount"

    event: str
    count: int


@dataclass(frozen=True, slots=True)
class StatsData(Output):
    component: ClassVar[str] = "WebhookStats"

    total_triggers: int
    successful: int
    failed: int
    success_rate: float
    last_triggered_at: datetime | None
    average_response_time_ms: int | None
    events_by_type: list[EventCount]


@dataclass(frozen=True, slots=True)
class TestData(Output):
    component: ClassVar[str] = "WebhookTest"

    success: bool
    status_code: int | None
    response_time_ms: int
    response: str
    error: str | None


@dataclass(frozen=True, slots=True)
class BlacklistRow(Output):
    component: ClassVar[str] = "BlacklistEntry"

    id: int
    phone_number: str
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BlacklistChecked(Output):
    component: ClassVar[str] = "BlacklistChecked"

    phone_number: str
    is_blacklisted: bool


@dataclass(frozen=True, slots=True)
class AuditRow(Output):
    component: ClassVar[str] = "AuditLog"

    id: int
    user_id: int | None
    sub_account_id: int | None
    user: str | None
    action: str
    model_type: str
    model_id: int | None
    old_values: dict[str, Any] | None
    new_values: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
