"""The names of time zones, read once: the standard library opens every file of its data each time it is asked."""

from __future__ import annotations

import zoneinfo
from functools import lru_cache


@lru_cache(maxsize=1)
def time_zone_names() -> frozenset[str]:
    """Every IANA name that this machine knows, old ones and abbreviations too."""
    return frozenset(zoneinfo.available_timezones())


@lru_cache(maxsize=1)
def time_zone_places() -> tuple[str, ...]:
    """UTC, then what people choose from, by name: places such as Africa/Porto-Novo, without offsets (Etc/GMT+1)."""
    return "UTC", *sorted(name for name in time_zone_names() if "/" in name and not name.startswith("Etc/"))
