"""Prices: the most specific tariff wins, by the leading digits, the same for a call and for a statement."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from billing.destinations import Destination, destinations, operators_of
from billing.pricing import PriceList, cost_of, price_category, price_list, prices_forget
from billing.pricing_sql import TARIFF_OF, UNITS, price_params
from messaging.drivers.registry import driver_of
from messaging.models import OperatorPrefix
from messaging.services.operators import cache_clear

BENIN, GABON_AIRTEL, GABON_MOOV = "22997000001", "24107123456", "24165123456"


@pytest.fixture
def prices(in_schema: Any) -> Any:
    """`prices(**changes)`: the price list of channel 7 of the first organisation."""

    def read(**changes: Any) -> PriceList:
        prices_forget()
        cache_clear()
        given = {"organization_id": in_schema.pk, "kind": "whatsapp_cloud", "channel_id": 7, "category": "service"}
        given |= changes
        return price_list(schema=in_schema.schema_name, driver=driver_of(given["kind"]), **given)

    return read


def amount(prices: PriceList, address: str) -> Decimal | None:
    price = prices.price_of(address)
    return None if price is None else price.amount


def test_the_most_specific_tariff_wins_step_by_step(prices, make_tariff, in_schema):
    # Without any tariff a segment costs one credit.
    assert amount(prices(), GABON_AIRTEL) == 1
    steps: list[dict[str, Any]] = [
        {},
        {"category": "service"},
        {"channel_kind": "whatsapp_cloud"},
        {"country": "GA"},
        {"country": "GA", "category": "service"},
        {"country": "GA", "operator": "airtel"},
        {"country": "GA", "operator": "airtel", "channel_kind": "whatsapp_cloud"},
        {"organization": in_schema},
        {"organization": in_schema, "channel_id": 7},
        {"organization": in_schema, "country": "GA"},
    ]
    for number, fields in enumerate(steps, start=1):
        make_tariff(price=number * 2, **fields)
        assert amount(prices(), GABON_AIRTEL) == number * 2, fields
    # What was added last for others does not reach this one.
    make_tariff(price=99, organization=in_schema, country="GA", category="marketing")
    make_tariff(price=99, organization=in_schema, country="GA", channel_id=8)
    make_tariff(price=99, organization=in_schema, country="BJ")
    assert amount(prices(), GABON_AIRTEL) == 20


def test_prices_of_one_organisation_are_not_those_of_another(prices, make_tariff, other_organization):
    make_tariff(price=5)
    make_tariff(price=1, organization=other_organization)
    assert amount(prices(), BENIN) == 5
    assert amount(prices(organization_id=other_organization.pk), BENIN) == 1


def test_a_later_price_takes_the_place_of_an_earlier_one_when_its_time_has_come(prices, make_tariff):
    now = datetime.now(UTC)
    make_tariff(price=3, valid_from=now - timedelta(days=1))
    make_tariff(price=2, valid_from=now - timedelta(days=9))
    make_tariff(price=9, valid_from=now + timedelta(days=1))
    assert amount(prices(), BENIN) == 3
    # Of two of the same moment the later entry.
    moment = now - timedelta(hours=1)
    make_tariff(price=4, valid_from=moment)
    make_tariff(price=5, valid_from=moment)
    assert amount(prices(), BENIN) == 5


def test_operators_are_told_by_the_leading_digits_and_corrected_by_the_organisation(prices, make_tariff):
    make_tariff(price=10, country="GA")
    make_tariff(price=7, country="GA", operator="airtel")
    make_tariff(price=8, country="GA", operator="moov")
    assert (amount(prices(), GABON_AIRTEL), amount(prices(), GABON_MOOV)) == (7, 8)
    assert amount(prices(), "24199999999") == 10
    assert amount(prices(), BENIN) is None
    OperatorPrefix.objects.create(prefix="2410712", operator="moov")
    assert amount(prices(), GABON_AIRTEL) == 8
    assert amount(prices(), "24107999999") == 7


def test_countries_that_share_a_calling_code_are_told_apart(prices, make_tariff):
    make_tariff(price=1, country="US")
    assert amount(prices(), "12125550123") == 1
    assert amount(prices(), "18765550123") is None
    make_tariff(price=4, country="JM")
    make_tariff(price=6, country="KZ")
    assert (amount(prices(), "18765550123"), amount(prices(), "12125550123")) == (4, 1)
    assert (amount(prices(), "77012345678"), amount(prices(), "79161234567")) == (6, None)


def test_ids_that_look_like_numbers_have_the_general_price(prices, make_tariff):
    make_tariff(price=5)
    make_tariff(price=1, country="GA")
    assert amount(prices(kind="messenger"), "24107123456") == 5


def test_the_sum_says_what_each_part_costs(prices, make_tariff):
    make_tariff(price="2.5", country="GA", unit="segment")
    make_tariff(price=1, country="BJ")
    long = "x" * 161
    messages = [(GABON_AIRTEL, "hi"), (GABON_MOOV, long), (BENIN, long), (BENIN, None), ("33612345678", "hi")]
    cost = cost_of(prices=prices(), messages=messages)
    assert [(part.label, part.messages, part.segments, part.total) for part in cost.parts] == [
        ("GA", 2, 3, Decimal("7.5")),
        ("BJ", 2, 2, 2),
    ]
    assert (cost.total, cost.unpriced) == (Decimal("9.5"), 1)


def test_a_statement_finds_the_same_prices(prices, make_tariff):
    make_tariff(price=10, country="GA", unit="segment")
    make_tariff(price=7, country="GA", operator="airtel")
    make_tariff(price=1, country="US")
    make_tariff(price=3, country="CA")
    found = prices()
    rows = [
        (GABON_AIRTEL, "x" * 200),
        (GABON_MOOV, "x" * 200),
        ("12125550123", "a"),
        ("12045550123", "a"),
        (BENIN, "a"),
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH messages AS (
                SELECT key, address,
                       jsonb_build_object('type', 'text', 'text', jsonb_build_object('body', body)) AS content
                FROM unnest(%(addresses)s::text[], %(bodies)s::text[]) WITH ORDINALITY AS row(address, body, key)),
            {TARIFF_OF.replace("{rows}", "messages")}
            SELECT price * {UNITS.replace("{content}", "content")} FROM messages LEFT JOIN tariff_of USING (key)
            ORDER BY key""",
            {
                **price_params(found),
                "addresses": [address for address, _ in rows],
                "bodies": [body for _, body in rows],
            },
        )
        in_sql = [value for (value,) in cursor.fetchall()]
    in_python = [None if (p := found.price_of(address)) is None else p.of(body) for address, body in rows]
    assert in_sql == in_python == [7, 20, 1, 3, None]


@pytest.mark.parametrize(
    ("template", "is_marketing", "origin", "expected"),
    [
        ("UTILITY", False, "api", "utility"),
        ("MARKETING", True, "campaign", "marketing"),
        ("", True, "campaign", "marketing"),
        ("", False, "otp", "authentication"),
        ("", False, "admin", "service"),
    ],
)
def test_what_a_message_is_decides_its_category(template, is_marketing, origin, expected):
    assert price_category(template_category=template, is_marketing=is_marketing, origin=origin) == expected


def test_operators_of_a_country_are_known_by_name():
    assert operators_of("BJ") == ["celtiis", "moov", "mtn"]
    found = destinations(countries={"BJ"}, with_operators={"BJ"}, own={})
    assert found["229"] == Destination("BJ", "")
    assert found["2290142"] == Destination("BJ", "mtn")


@pytest.mark.parametrize(
    "fields", [{"price": -1}, {"operator": "airtel"}, {"channel_id": 3}], ids=["price", "operator", "channel"]
)
def test_the_database_refuses_tariffs_that_mean_nothing(db, make_tariff, fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_tariff(**fields)
