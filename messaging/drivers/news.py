"""News about an account that the core can act upon without knowing the provider: what happened, and its effects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from messaging.drivers.base import AccountUpdate


@dataclass(frozen=True, slots=True)
class Pause:
    """The provider lets the channels send nothing (any more)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Quality:
    """A new quality rating: GREEN, YELLOW, RED or UNKNOWN. `address` (E.164 digits) limits it to one channel."""

    rating: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class MessagingLimit:
    """How many people may be written to first within 24 hours, in the provider's words."""

    limit: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class MarketingStop:
    """These people (phones or user ids) want no marketing any more."""

    addresses: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class MarketingResume:
    """These people allow marketing again."""

    addresses: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class IdentityMove:
    """A person's phone or user id has changed."""

    kind: str
    previous: str
    current: str


@dataclass(frozen=True, slots=True)
class TemplateNews:
    """What is new about one template; "" where nothing is. `next_category`: announced, not yet in force.

    `is_text_changed`: the components have changed and must be read again.
    """

    provider_id: str
    name: str
    language: str
    status: str = ""
    reason: str = ""
    category: str = ""
    next_category: str = ""
    quality: str = ""
    is_text_changed: bool = False


Effect = Pause | Quality | MessagingLimit | MarketingStop | MarketingResume | IdentityMove | TemplateNews


@dataclass(frozen=True, slots=True)
class AccountNews(AccountUpdate):
    """An account update in plain language. Without effects somebody should read it: it is kept and shown.

    `at`: when it happened at the provider, None when it does not say. Webhooks come late, twice and in any order.
    """

    summary: str = ""
    effects: tuple[Effect, ...] = ()
    at: datetime | None = None
