"""Stored reasons for people: `{{ delivery.error|said }}` is in the language of the reader."""

from __future__ import annotations

from django import template

from config.reasons import reason_said

register = template.Library()


@register.filter
def said(reason: str | None) -> str:
    """A reason that a worker has stored, see `config.reasons`; empty for None."""
    return reason_said(reason or "")
