"""Searches in big tables by phone number or another address: exact, or by its first digits, through an index."""

from __future__ import annotations

import re

from django.db.models import Q

from contacts.phones import BadPhone, phone_normalise

_PHONE_LIKE = re.compile(r"\+?[\d\s().\-/]{3,32}")


def address_query(field: str, term: str, country: str) -> Q | None:
    """Rows whose `field` is the number `term` as a person of `country` may write it, or begins with these digits.

    None when `term` does not look like a phone number.
    """
    if not _PHONE_LIKE.fullmatch(term):
        return None
    digits = re.sub(r"\D", "", term).removeprefix("00")
    if not digits:
        return None
    found = prefix_query(field, digits)
    try:
        return found | Q(**{field: phone_normalise(term, country)})
    except BadPhone:
        return found


def prefix_query(field: str, digits: str) -> Q:
    """`field` begins with `digits`, as a range: an ordinary index answers it, whatever the database's collation.

    Digits sort before letters in every collation, so that a prefix of nines ends before "a".
    """
    following = str(int(digits) + 1)
    end = following.zfill(len(digits)) if len(following) <= len(digits) else "a"
    return Q(**{f"{field}__gte": digits, f"{field}__lt": end})
