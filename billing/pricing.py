"""What messages cost: of all tariffs that apply the most specific one, decided by the leading digits of the number.

Of two tariffs for a message the winner is the one with, in this order: an organisation of its own; an operator; a
country; a channel; a kind of channel; a category; then the later `valid_from`; then the later entry. Country and
operator come from the leading digits alone, so that a call for one number and a statement for 20,000 agree.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Q

from billing.destinations import Destination, destinations
from billing.tariffs.models import Tariff
from messaging.drivers.base import PHONE, Driver
from messaging.services.operators import operators_current
from messaging.sms_text import segments_of

# A changed tariff counts everywhere within this time.
KNOWN_SECONDS: Final = 5.0
_KNOWN_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Price:
    """One tariff's price: `amount` credits per message, or per segment of a text message."""

    tariff_id: int
    label: str
    amount: Decimal
    per_segment: bool

    def of(self, text: str | None) -> Decimal:
        """The price of a message with this text; None for content that has no segments."""
        return self.amount * len(segments_of(text)) if self.per_segment and text is not None else self.amount


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices of one channel and category by the leading digits of a number; "" is the price of everything else.

    None: a destination that the tariffs tell apart without having a price for it.
    """

    by_prefix: Mapping[str, Price | None]
    # Lengths of the prefixes, the longest first.
    lengths: tuple[int, ...]

    def price_of(self, address: str) -> Price | None:
        """The price for `address`, None when no tariff says one."""
        for length in self.lengths:
            prefix = address[:length]
            if prefix in self.by_prefix:
                return self.by_prefix[prefix]
        return None


@dataclass(frozen=True, slots=True)
class CostPart:
    """What one tariff contributes: `segments` in all `messages`."""

    label: str
    unit_price: Decimal
    per_segment: bool
    messages: int
    segments: int
    total: Decimal


@dataclass(frozen=True, slots=True)
class Cost:
    """The sum of the parts; `unpriced` messages have no tariff and would be refused."""

    parts: tuple[CostPart, ...]
    total: Decimal
    unpriced: int = 0


def price_category(*, template_category: str, is_marketing: bool, origin: str) -> str:
    """A message's category: its template's, else by what it is."""
    if template_category:
        return template_category.lower()
    if is_marketing:
        return Tariff.Category.MARKETING
    return Tariff.Category.AUTHENTICATION if origin == "otp" else Tariff.Category.SERVICE


def text_of(content: Mapping[str, Any]) -> str | None:
    """The text that travels in segments; None for content without one."""
    body = content.get("text", {}).get("body") if content.get("type") == "text" else None
    return body if isinstance(body, str) else None


def cost_of(*, prices: PriceList, messages: Iterable[tuple[str, str | None]]) -> Cost:
    """The cost of many messages (address, text), with a part per tariff."""
    sums: dict[Price, list[int]] = {}
    unpriced = 0
    for address, text in messages:
        price = prices.price_of(address)
        if price is None:
            unpriced += 1
            continue
        part = sums.setdefault(price, [0, 0])
        part[0] += 1
        part[1] += len(segments_of(text)) if price.per_segment and text is not None else 1
    return cost_sum(((price, number, segments) for price, (number, segments) in sums.items()), unpriced=unpriced)


def cost_sum(counts: Iterable[tuple[Price, int, int]], *, unpriced: int = 0) -> Cost:
    """The cost of counted messages: (price, messages, segments)."""
    parts = sorted(
        (
            CostPart(price.label, price.amount, price.per_segment, number, segments, price.amount * segments)
            for price, number, segments in counts
        ),
        key=lambda part: (-part.total, part.label),
    )
    return Cost(tuple(parts), sum((part.total for part in parts), Decimal(0)), unpriced)


WITHOUT_TARIFFS: Final = PriceList({"": Price(0, "–", Decimal(1), per_segment=True)}, (0,))
_known: dict[tuple[str, int, str, int, str], tuple[float, PriceList]] = {}


def price_list(
    *, schema: str, organization_id: int, driver: Driver, kind: str, channel_id: int, category: str
) -> PriceList:
    """The prices of a channel of the current `schema` for a category, at most 5 s old.

    While there is no tariff at all for it, a segment costs one credit: sub-accounts have credits before anybody has
    made a price list.
    """
    key, now = (schema, organization_id, kind, channel_id, category), time.monotonic()
    found = _known.get(key)
    if found is not None and now - found[0] < KNOWN_SECONDS:
        return found[1]
    # An exact key beats "any", which is the empty one.
    tariffs = Tariff.objects.filter(
        Q(organization_id=organization_id) | Q(organization=None),
        Q(channel_id=channel_id) | Q(channel_id=None),
        channel_kind__in=["", kind],
        category__in=["", category],
        valid_from__lte=datetime.now(UTC),
    )
    # Numbers of people who have no telephone look like telephone numbers with some providers.
    by_phone = any(address.name == PHONE.name for address in driver.address_kinds)
    ranked = sorted(tariffs, key=_rank, reverse=True)
    prices = _arrange(ranked, by_phone=by_phone) if ranked else WITHOUT_TARIFFS
    if len(_known) >= _KNOWN_MAX:
        _known.clear()
    _known[key] = (now, prices)
    return prices


def prices_forget() -> None:
    """Drop this process's memory: a changed tariff counts here at once."""
    _known.clear()


def _rank(tariff: Tariff) -> tuple[Any, ...]:
    return (
        tariff.organization_id is not None,
        bool(tariff.operator),
        bool(tariff.country),
        tariff.channel_id is not None,
        bool(tariff.channel_kind),
        bool(tariff.category),
        tariff.valid_from,
        tariff.pk,
    )


def _arrange(tariffs: Sequence[Tariff], *, by_phone: bool) -> PriceList:
    """For every destination that the tariffs tell apart, the first tariff that fits."""
    by_prefix: dict[str, Price | None] = {}
    for prefix, destination in _places(tariffs, by_phone=by_phone).items():
        tariff = next((tariff for tariff in tariffs if _fits(tariff, destination)), None)
        by_prefix[prefix] = None if tariff is None else _price(tariff)
    return PriceList(by_prefix, tuple(sorted({len(prefix) for prefix in by_prefix}, reverse=True)))


def _price(tariff: Tariff) -> Price:
    label = " ".join(filter(None, (tariff.country, tariff.operator))) or "–"
    return Price(tariff.pk, label, tariff.price, tariff.unit == Tariff.Unit.SEGMENT)


def _places(tariffs: Sequence[Tariff], *, by_phone: bool) -> dict[str, Destination]:
    places = {"": Destination("", "")}
    if by_phone:
        countries = {tariff.country for tariff in tariffs if tariff.country}
        with_operators = {tariff.country for tariff in tariffs if tariff.operator}
        own = operators_current().own if with_operators else {}
        places |= destinations(countries=countries, with_operators=with_operators, own=own)
    return places


def _fits(tariff: Tariff, destination: Destination) -> bool:
    return tariff.country in ("", destination.country) and tariff.operator in ("", destination.operator)
