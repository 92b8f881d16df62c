"""Amounts of credits: exact decimals with four places, as text for people."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from django.utils.translation import gettext as _

from billing.models import DIGITS, PLACES
from tenants.errors import InvalidInput, LimitReached

MOST: Final = Decimal(10) ** (DIGITS - PLACES)
_STEP: Final = Decimal(1).scaleb(-PLACES)


def amount_read(value: object, *, field: str = "amount", negative: bool = False) -> Decimal:
    """`value` as an amount that is not zero. Raises `InvalidInput` invalid_amount naming `field`."""
    if isinstance(value, bool) or not isinstance(value, (int, str, float, Decimal)):
        raise _refusal(field, _("must be a number"))
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise _refusal(field, _("must be a number")) from None
    if not amount.is_finite() or abs(amount) >= MOST:
        raise _refusal(field, _("must be less than %(most)s") % {"most": f"{MOST:,}"})
    if amount != amount.quantize(_STEP):
        raise _refusal(field, _("may have %(most)s decimal places") % {"most": PLACES})
    if amount == 0 or (amount < 0 and not negative):
        raise _refusal(field, _("must not be zero") if negative else _("must be more than zero"))
    return amount


def amount_text(amount: Decimal) -> str:
    """`amount` without needless zeros, such as 12.5 or 40."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def insufficient(*, needed: Decimal, available: Decimal) -> LimitReached:
    """The refusal that says how much is needed and how much there is."""
    text = _("Not enough credits: %(needed)s are needed, %(available)s are available, %(missing)s are missing.") % {
        "needed": amount_text(needed),
        "available": amount_text(available),
        "missing": amount_text(needed - available),
    }
    return LimitReached("insufficient_credits", text, {"credits": text})


def _refusal(field: str, why: str) -> InvalidInput:
    return InvalidInput("invalid_amount", _("The amount %(why)s.") % {"why": why}, {field: why})
