"""Countries and operators by the leading digits of a number, from the tables of `phonenumbers` and of operators."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers.phonenumberutil import country_code_for_region, region_code_for_number, region_codes_for_country_code

from messaging.operators import carrier_table

# National numbers are tried with these endings: which country an area code belongs to shows in complete numbers only.
_ENDINGS: Final = ("2345678", "0123456", "5551234", "23456789", "012345")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a number leads; "" is not known."""

    country: str
    operator: str


def country_known(country: str) -> bool:
    """Whether these two letters are a country with telephone numbers."""
    return country_code_for_region(country) != 0


def operators_of(country: str) -> list[str]:
    """The operators of a country that numbers tell apart."""
    return sorted(set(_operator_prefixes(country_code_for_region(country), {}).values()))


def destinations(
    *, countries: Collection[str], with_operators: Collection[str], own: Mapping[str, str]
) -> dict[str, Destination]:
    """Prefix -> destination, the longest one counts, for these countries and those that share their calling codes.

    `own`: the organisation's prefixes of operators.
    """
    found: dict[str, Destination] = {}
    for country in sorted(countries):
        for prefix, region in _country_prefixes(country_code_for_region(country)).items():
            found[prefix] = Destination(region, "")
    for country in sorted(with_operators):
        code = country_code_for_region(country)
        regions = _country_prefixes(code)
        for prefix, operator in _operator_prefixes(code, own).items():
            if _longest(regions, prefix) == country:
                found[prefix] = Destination(country, operator)
    return found


@lru_cache(maxsize=300)
def _country_prefixes(code: int) -> dict[str, str]:
    """A calling code's countries: one, or of several the main one and each other's three-digit area codes."""
    regions = region_codes_for_country_code(code)
    if not regions:
        return {}
    found = {str(code): regions[0]}
    if len(regions) > 1:
        for area in range(1000):
            region = _region_of_area(code, f"{area:03}")
            if region is not None and region != regions[0]:
                found[f"{code}{area:03}"] = region
    return found


def _region_of_area(code: int, area: str) -> str | None:
    for ending in _ENDINGS:
        number = phonenumbers.PhoneNumber(country_code=code, national_number=int(area + ending))
        region = region_code_for_number(number)
        if region is not None:
            return str(region)
    return None


def _operator_prefixes(code: int, own: Mapping[str, str]) -> dict[str, str]:
    """An organisation's own prefix takes the place of every prefix of the platform's that begins with it."""
    ours = {prefix: operator for prefix, operator in own.items() if prefix.startswith(str(code))}
    platforms = _carrier_prefixes(code)
    if ours:
        platforms = {prefix: operator for prefix, operator in platforms.items() if not prefix.startswith(tuple(ours))}
    return platforms | ours


@lru_cache(maxsize=300)
def _carrier_prefixes(code: int) -> dict[str, str]:
    start = str(code)
    return {prefix: operator for prefix, operator in carrier_table().prefixes.items() if prefix.startswith(start)}


def _longest(regions: dict[str, str], prefix: str) -> str | None:
    return next((regions[prefix[:end]] for end in range(len(prefix), 0, -1) if prefix[:end] in regions), None)
