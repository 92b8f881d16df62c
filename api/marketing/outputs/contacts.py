"""Answers about contacts, groups, imports and the blacklist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from api.outputs import Output


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
class ImportErrorRow(Output):
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
    errors: list[ImportErrorRow]
    status_url: str


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
