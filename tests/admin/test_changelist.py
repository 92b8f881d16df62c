"""Searching by the first digits, and capped counts, without a browser."""

from __future__ import annotations

import pytest

from config.admin_changelist import _rounded
from messaging.admin.phone_search import address_query, prefix_query


@pytest.mark.parametrize(
    ("digits", "first", "end"),
    [("229", "229", "230"), ("2299", "2299", "2300"), ("99", "99", "a"), ("0", "0", "1"), ("0099", "0099", "0100")],
)
def test_a_prefix_becomes_a_range(digits: str, first: str, end: str) -> None:
    assert dict(prefix_query("phone", digits).children) == {"phone__gte": first, "phone__lt": end}


@pytest.mark.parametrize("term", ["", "wamid.HBgL", "Ada", "12", "22997x"])
def test_what_is_no_number_is_not_searched_as_one(term: str) -> None:
    assert address_query("phone", term, "BJ") is None


@pytest.mark.parametrize(
    ("number", "rounded"), [(10_000, 10_000), (10_234_567, 10_200_000), (999_999, 1_000_000), (12, 12)]
)
def test_estimates_show_three_digits(number: int, rounded: int) -> None:
    assert _rounded(number) == rounded
