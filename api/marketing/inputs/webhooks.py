"""Bodies and queries of webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from api.bodies import body_field
from api.body_types import Flag, Text, WebAddress, Whole, Words
from api.date_types import FlagText
from api.marketing.inputs.form import Examples, Form
from api.marketing.pagination import PageQuery


@dataclass(frozen=True, slots=True)
class WebhookInput(Form):
    component: ClassVar[str] = "WebhookInput"
    examples: ClassVar[Examples] = {
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
    examples: ClassVar[Examples] = {
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
