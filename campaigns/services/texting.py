"""One text to many phones: the text filled for those who are contacts, what it costs, and what became of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.utils.translation import gettext as _

from billing.pricing import cost_of, price_category
from campaigns.personalisation import contact_values, personalise, unknown_variables, variables_of
from contacts.models import Contact
from contacts.phones import BadPhone, phone_normalise
from messaging.models import Message
from messaging.models.message import OPEN_STATUSES, PRIORITY_TRANSACTIONAL
from messaging.services.accept import Draft, Rejection, SendingOrganization, messages_accept
from messaging.services.channels import channel_for_texts
from messaging.services.charging import prices_of
from messaging.services.operators import operators_of
from messaging.sms_text import text_cost
from tenants.errors import InvalidInput

_LOOK_EVERY: Final = 0.1
_FAILURES_MOST: Final = 1_000
_CATEGORY: Final = price_category(template_category="", is_marketing=False, origin=Message.Origin.API)


@dataclass(frozen=True, slots=True)
class Sending:
    """What was accepted. `segments`: of the longest message; `cost`: credits by the price list, charged or not."""

    total: int
    message_ids: list[int]
    rejections: list[Rejection]
    segments: int
    cost: Decimal
    by_operator: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that failed: `recipient` as E.164 with +."""

    recipient: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Results:
    """What became of messages so far; `sent` counts everything that left."""

    sent: int
    pending: int
    failures: list[Failure]


def texts_send(
    *,
    organization: SendingOrganization,
    phones: Sequence[str],
    text: str,
    channel_id: int | None = None,
    membership_id: int | None = None,
) -> Sending:
    """Send `text` to `phones` (as typed); a number that is named twice gets it once.

    Variables (`{nom}`) are filled for those who are contacts, else with their fallbacks. Raises `InvalidInput`
    (unknown_variable, no_channel, channel_not_found), and what `messages_accept` raises.
    """
    if unknown := unknown_variables(text):
        names = ", ".join(f"{{{name}}}" for name in unknown)
        raise InvalidInput(
            "unknown_variable",
            _("%(names)s is no variable.") % {"names": names},
            {"message": _("%(names)s is no variable") % {"names": names}},
        )
    channel = channel_for_texts(schema=organization.schema_name, channel_id=channel_id)
    named = _distinct(phones, organization.default_country)
    texts = _texts(text, named)
    accepted = messages_accept(
        organization=organization,
        channel=channel,
        drafts=[Draft(to=to, content={"type": "text", "text": {"body": texts[to]}}) for to in named],
        origin=Message.Origin.API,
        priority=PRIORITY_TRANSACTIONAL,
        membership_id=membership_id,
    )
    addresses = {item.index: item.to for item in accepted.accepted}
    prices = prices_of(
        schema=organization.schema_name, organization_id=organization.pk, channel=channel, category=_CATEGORY
    )
    cost = cost_of(
        prices=prices, messages=[(addresses[place], texts[to]) for place, to in enumerate(named) if place in addresses]
    )
    # Every recipient of the request counts, also those that get nothing.
    operators = Counter(operators_of(address or "" for address in named.values()))
    longest = max({text_cost(body).segments for body in texts.values()}, default=0)
    return Sending(
        len(named), _ids([item.uuid for item in accepted.accepted]), accepted.rejections, longest, cost.total, operators
    )


def results_wait(*, message_ids: Sequence[int], seconds: float) -> Results:
    """What became of the messages, once all have left or failed, or after `seconds`. Not inside a transaction."""
    until = time.monotonic() + seconds
    rows = Message.objects.filter(pk__in=message_ids)
    while rows.filter(status__in=OPEN_STATUSES).exists() and time.monotonic() < until:
        time.sleep(_LOOK_EVERY)
    failed = rows.filter(status__in=(Message.Status.FAILED, Message.Status.CANCELLED)).order_by("pk")
    failures = [
        Failure(f"+{address}", code or "cancelled", reason)
        for address, code, reason in failed.values_list("address", "error_code", "error_reason")[:_FAILURES_MOST]
    ]
    pending = rows.filter(status__in=OPEN_STATUSES).count()
    return Results(len(message_ids) - pending - failed.count(), pending, failures)


def _distinct(phones: Sequence[str], country: str) -> dict[str, str | None]:
    """As typed -> E.164 digits, None for what is no number; the first spelling of a number stays."""
    found: dict[str, str | None] = {}
    seen: set[str] = set()
    for phone in phones:
        try:
            address = phone_normalise(phone, country)
        except BadPhone:
            found.setdefault(phone, None)
            continue
        if address not in seen:
            seen.add(address)
            found[phone] = address
    return found


def _texts(text: str, named: Mapping[str, str | None]) -> dict[str, str]:
    """As typed -> the text for that person."""
    if not variables_of(text):
        return dict.fromkeys(named, text)
    addresses = [address for address in named.values() if address is not None]
    contacts = {
        contact.phone: contact_values(
            name=contact.name, email=contact.email, phone=contact.phone or "", custom=contact.custom
        )
        for contact in Contact.objects.filter(phone__in=addresses).only("phone", "name", "email", "custom")
    }
    return {
        to: personalise(text, contacts.get(address or "") or {"telephone": f"+{address}" if address else ""})
        for to, address in named.items()
    }


def _ids(uuids: Sequence[UUID]) -> list[int]:
    """Integer ids in the order of `uuids`."""
    found = dict(Message.objects.filter(uuid__in=uuids).values_list("uuid", "pk"))
    return [found[uuid] for uuid in uuids]
