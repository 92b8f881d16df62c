"""Answers about the organisation's account and its keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from api.outputs import Output


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
