"""Amounts of credits in JSON."""

from __future__ import annotations

from decimal import Decimal


def credits_number(amount: Decimal | int | None) -> float:
    """Whole credits as whole numbers, nothing as 0."""
    value = Decimal(0) if amount is None else Decimal(amount)
    return int(value) if value == value.to_integral_value() else float(value)
