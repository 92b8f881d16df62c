"""Countries and time zones to choose from, named in the reader's language."""

from __future__ import annotations

import phonenumbers
from babel import Locale, UnknownLocaleError
from django.utils.translation import get_language

from config.time_zones import time_zone_places


def country_choices() -> list[tuple[str, str]]:
    """(two-letter code, "Bénin (+229)") of every country that has phone numbers, by name."""
    names = _locale().territories
    rows = [
        (code, f"{names.get(code, code)} (+{phonenumbers.country_code_for_region(code)})")
        for code in phonenumbers.SUPPORTED_REGIONS
    ]
    return sorted(rows, key=lambda row: row[1])


def time_zone_choices() -> list[tuple[str, str]]:
    """(IANA name, the same without underscores), by name; UTC first."""
    return [(name, name.replace("_", " ")) for name in time_zone_places()]


def _locale() -> Locale:
    try:
        return Locale.parse(get_language() or "en", sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")
