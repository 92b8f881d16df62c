"""Bodies and queries of contacts, groups and the blacklist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from api.bodies import body_field
from api.body_types import Choice, Structure, Text, WholeText, Words
from api.date_types import Wholes
from api.marketing.inputs.form import PHONE, RECIPIENTS_MOST, Examples, Form
from api.marketing.pagination import PageQuery


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
    examples: ClassVar[Examples] = {"A contact": _CONTACT}

    name: str = body_field("name", Text(1, 160, strip=True))
    phone: str = body_field("phone", PHONE)
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
    examples: ClassVar[Examples] = {"Two fields": {"name": "Alice Johnson", "status": "inactive"}}

    name: str | None = body_field("name", Text(1, 160, strip=True), default=None)
    phone: str | None = body_field("phone", PHONE, default=None)
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
    examples: ClassVar[Examples] = {"A group": {"name": "VIP Clients", "description": "High-value customers"}}

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
    examples: ClassVar[Examples] = {"Four": {"contact_ids": [1, 2, 3, 4]}}

    contact_ids: list[int] = body_field("contact_ids", Wholes(1, RECIPIENTS_MOST))


@dataclass(frozen=True, slots=True)
class BlacklistInput(Form):
    component: ClassVar[str] = "BlacklistInput"
    examples: ClassVar[Examples] = {"An opt-out": {"phone_number": "+24162000000", "reason": "Requested opt-out"}}

    phone_number: str = body_field("phone_number", PHONE)
    reason: str = body_field("reason", Text(0, 200), default="")


@dataclass(frozen=True, slots=True)
class PhoneInput(Form):
    component: ClassVar[str] = "PhoneInput"
    examples: ClassVar[Examples] = {"A number": {"phone_number": "+24162000000"}}

    phone_number: str = body_field("phone_number", PHONE)
