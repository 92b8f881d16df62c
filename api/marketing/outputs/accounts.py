"""Answers about the person who is logged in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from api.outputs import Output


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
