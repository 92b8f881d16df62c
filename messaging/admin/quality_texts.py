"""What providers say of a number's quality and limit, in words."""

from __future__ import annotations

import re
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

QUALITIES: Final[dict[str, Any]] = {
    "GREEN": gettext_lazy("High"),
    "YELLOW": gettext_lazy("Medium"),
    "RED": gettext_lazy("Low"),
    "UNKNOWN": gettext_lazy("Not rated"),
}
QUALITY_COLOURS: Final = {"GREEN": "success", "YELLOW": "warning", "RED": "danger"}
# Meta writes TIER_250, TIER_2K, TIER_100K, TIER_UNLIMITED, or a plain number.
_TIER: Final = re.compile(r"(?:TIER_)?(\d{1,9})(K?)")


def limit_text(limit: str) -> str:
    """A messaging limit as a number; words that are new to us as they are."""
    if not limit:
        return "–"
    if limit in ("TIER_UNLIMITED", "-1"):
        return _("no limit")
    found = _TIER.fullmatch(limit)
    if found is None:
        return limit
    return number_format(int(found[1]) * (1000 if found[2] else 1), force_grouping=True)
