"""Answers about customers and their setup links."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from api.outputs import Output


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
