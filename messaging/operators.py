"""Which mobile operator a number belongs to, as far as its beginning tells: the longest prefix that is known wins.

The table is the carrier data of the `phonenumbers` library (Google's libphonenumber) with the platform's corrections
(`OPERATOR_PREFIXES`). It says who the range was given to: numbers that were ported to another operator keep the range.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.conf import settings

UNKNOWN: Final = "unknown"
SLUG_LENGTH: Final = 40

# One operator, several spellings in the carrier data.
_SAME: Final = {
    "moov_africa": "moov",
    "mtn_cameroon": "mtn",
    "swazi_mtn": "mtn",
    "orange_france": "orange",
    "digicel_bermuda": "digicel",
    "digicel_grenada": "digicel",
    "network_of_the_world_ltd": "network_of_the_world",
}


def operator_slug(name: str) -> str:
    """`name` as the APIs spell it: lower-case ASCII words joined by `_`; "unknown" when nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = "_".join(re.findall(r"[a-z0-9]+", plain))[:SLUG_LENGTH].strip("_")
    return _SAME.get(slug, slug) or UNKNOWN


@dataclass(frozen=True, slots=True)
class OperatorTable:
    """Prefix (E.164 digits) -> slug, with the lengths that occur, the longest first."""

    prefixes: Mapping[str, str]
    lengths: tuple[int, ...]

    def find(self, phone: str) -> str | None:
        """The operator of E.164 digits without +; None when no prefix fits."""
        for length in self.lengths:
            found = self.prefixes.get(phone[:length])
            if found is not None:
                return found
        return None


def operator_table(prefixes: Mapping[str, str]) -> OperatorTable:
    """A table of these prefixes."""
    return OperatorTable(prefixes, tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True)))


@cache
def carrier_table() -> OperatorTable:
    """The platform's table: about 30,000 prefixes, read once per process (some 30 ms)."""
    from phonenumbers.carrierdata import CARRIER_DATA

    names = {prefix: carrier.get("en") or next(iter(carrier.values())) for prefix, carrier in CARRIER_DATA.items()}
    slugs = {name: operator_slug(name) for name in set(names.values())}
    prefixes = {prefix: slugs[name] for prefix, name in names.items()}
    return operator_table(prefixes | dict(settings.OPERATOR_PREFIXES))
