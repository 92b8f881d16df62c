"""A price list as SQL, for statements that price as many rows at once as they write."""

from __future__ import annotations

from typing import Any, Final

import orjson

from billing.pricing import PriceList

# From `{rows}` (key, address): `tariff_of` (key, price, per_segment, tariff) for those whose destination has a price.
TARIFF_OF: Final = """tariffs AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(prices)s::json)
        AS row(prefix text, price numeric, per_segment boolean, tariff bigint)),
tariff_of AS MATERIALIZED (
    SELECT DISTINCT ON (key) key, price, per_segment, tariff
    FROM {rows} CROSS JOIN unnest(%(lengths)s::int[]) AS digits
    JOIN tariffs ON tariffs.prefix = left(address, digits)
    ORDER BY key, digits DESC)"""

# How often the price counts, of a jsonb `content`.
UNITS: Final = """CASE WHEN per_segment AND {content} ->> 'type' = 'text'
         THEN public.billing_segments({content} -> 'text' ->> 'body') ELSE 1 END"""


def price_params(prices: PriceList) -> dict[str, Any]:
    """The parameters of TARIFF_OF."""
    rows = [
        {
            "prefix": prefix,
            "price": None if price is None else str(price.amount),
            "per_segment": price is not None and price.per_segment,
            "tariff": None if price is None else price.tariff_id,
        }
        for prefix, price in prices.by_prefix.items()
    ]
    return {"prices": orjson.dumps(rows).decode(), "lengths": list(prices.lengths)}
