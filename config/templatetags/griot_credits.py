"""Credits for people: `{{ amount|credits }}` is 12.5 instead of 12.5000."""

from __future__ import annotations

from decimal import Decimal

from django import template

from billing.amounts import amount_text

register = template.Library()


@register.filter
def credits(value: Decimal | None) -> str:
    """An amount without needless zeros; empty for None."""
    return "" if value is None else amount_text(value)
