"""Numbers for people: `{{ count|grouped }}` is 12,345 in English and 12 345 in French."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def grouped(value: Any) -> str:
    """A whole number with the separators of the reader's language; empty for None."""
    return "" if value is None else number_format(int(value), force_grouping=True)
