"""What the bodies of this surface share: their base, limits and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from api.bodies import Body
from api.body_types import Text, Whole

STATUSES: Final = ("pending", "sent", "delivered", "read", "failed", "cancelled")
CATEGORIES: Final = (
    *("marketing", "notifications", "alerts", "reminders"),
    *("confirmations", "promotions", "other"),
)
RECIPIENTS_MOST: Final = 10_000
NAME: Final = Text(1, 120, strip=True)
EMAIL: Final = Text(3, 254, strip=True)
PHONE: Final = Text(1, 40, strip=True)
TEXT: Final = Text(1, 4096)
ID: Final = Whole(1, 2**53)
Examples = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Form(Body):
    """Base of this surface's bodies: null says nothing, as for the programs that the document comes from."""

    component: ClassVar[str] = "Form"
    null_is_absent: ClassVar[bool] = True
