"""Searches in big tables by phone number or another address: exact, or by its first digits, through an index."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db.models import Q

from contacts.phones import BadPhone, phone_normalise

_PHONE_LIKE = re.compile(r"\+?[\d\s().\-/]{3,32}")


def prefix_query(field: str, digits: str) -> Q:
    """`field` begins with `digits`, as a range: an ordinary index answers it, whatever the database's collation.

    Digits sort before letters in every collation, so that a prefix of nines ends before "a".
    """
    following = str(int(digits) + 1)
    end = following.zfill(len(digits)) if len(following) <= len(digits) else "a"
    return Q(**{f"{field}__gte": digits, f"{field}__lt": end})


def pattern_query(field: str, digits: str) -> Q:
    """`field` begins with `digits`, for an index with pattern operators, which answers no range of the collation."""
    return Q(**{f"{field}__startswith": digits})


def address_query(
    field: str, term: str, country: str, *, begins_with: Callable[[str, str], Q] = prefix_query
) -> Q | None:
    """Rows whose `field` is the number `term` as a person of `country` may write it, or begins with these digits.

    None when `term` does not look like a phone number. `begins_with`: what the index of `field` can answer.
    """
    if not _PHONE_LIKE.fullmatch(term):
        return None
    digits = re.sub(r"\D", "", term).removeprefix("00")
    if not digits:
        return None
    found = begins_with(field, digits)
    try:
        return found | Q(**{field: phone_normalise(term, country)})
    except BadPhone:
        return found
