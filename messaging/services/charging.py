"""The price of messages that are about to be accepted, when somebody pays for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from billing.amounts import insufficient
from billing.pricing import Cost, PriceList, cost_of, price_category, price_list
from billing.services.payers import balance_of, payer_of
from messaging.services.channels import ChannelSnapshot
from messaging.services.insert import Charge

# So many messages are not sent to the database to learn that they cannot be paid for.
_LARGE: Final = 100


@dataclass(frozen=True, slots=True)
class Priced:
    """What a price depends on, besides the channel. `text`: of a text message, else None."""

    uuid: UUID
    address: str
    text: str | None
    category: str


def charge_prepare(
    *,
    schema: str,
    organization_id: int,
    channel: ChannelSnapshot,
    membership_id: int | None,
    messages: Sequence[Priced],
) -> tuple[Charge, frozenset[UUID]] | None:
    """Who pays how much for each, and the messages without a price; None when nobody is charged.

    The insert decides whether the account has enough. Of a large call that is looked at before, too: raises
    `LimitReached` insufficient_credits.
    """
    account_id = payer_of(schema=schema, membership_id=membership_id)
    if account_id is None:
        return None
    lists = {
        category: prices_of(schema=schema, organization_id=organization_id, channel=channel, category=category)
        for category in {message.category for message in messages}
    }
    prices: dict[UUID, Decimal] = {}
    for message in messages:
        price = lists[message.category].price_of(message.address)
        if price is not None:
            prices[message.uuid] = price.of(message.text)
    if len(prices) > _LARGE:
        needed, available = sum(prices.values(), Decimal(0)), balance_of(account_id)
        if needed > available:
            raise insufficient(needed=needed, available=available)
    return Charge(account_id, prices), frozenset(message.uuid for message in messages if message.uuid not in prices)


def prices_of(*, schema: str, organization_id: int, channel: ChannelSnapshot, category: str) -> PriceList:
    """The price list of a channel of the current `schema`."""
    return price_list(
        schema=schema,
        organization_id=organization_id,
        driver=channel.driver,
        kind=channel.kind,
        channel_id=channel.id,
        category=category,
    )


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call would cost, and what the account that pays has."""

    cost: Cost
    available: Decimal

    @property
    def suffices(self) -> bool:
        """Whether there are enough credits and everything has a price."""
        return self.cost.total <= self.available and not self.cost.unpriced


def quote(
    *,
    schema: str,
    organization_id: int,
    channel: ChannelSnapshot,
    membership_id: int | None,
    messages: Sequence[tuple[str, str | None]],
    template_category: str = "",
    is_marketing: bool = False,
    origin: str = "api",
) -> Quote | None:
    """The cost of messages (normalised address, text or None) on a channel; None when nobody is charged."""
    account_id = payer_of(schema=schema, membership_id=membership_id)
    if account_id is None:
        return None
    category = price_category(template_category=template_category, is_marketing=is_marketing, origin=origin)
    prices = prices_of(schema=schema, organization_id=organization_id, channel=channel, category=category)
    return Quote(cost_of(prices=prices, messages=messages), balance_of(account_id))
