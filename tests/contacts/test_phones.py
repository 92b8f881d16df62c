"""Phone numbers as people and back ends write them."""

from __future__ import annotations

import pytest

from contacts.phones import BadPhone, phone_normalise


@pytest.mark.parametrize(
    ("typed", "country", "expected"),
    [
        ("22996123456", "BJ", "22996123456"),
        ("22996123456", "FR", "22996123456"),
        ("+229 96-12-34-56", "FR", "22996123456"),
        ("0022996123456", "BJ", "22996123456"),
        ("96123456", "BJ", "22996123456"),
        ("61000004", "BJ", "22961000004"),
        ("0196123456", "BJ", "2290196123456"),
        ("2290196123456", "BJ", "2290196123456"),
        ("06 12 34 56 78", "FR", "33612345678"),
        ("33612345678", "BJ", "33612345678"),
        ("(415) 555-0100", "US", "14155550100"),
        ("14155550100", "BJ", "14155550100"),
        ("+15550140071", "BJ", "15550140071"),
    ],
)
def test_what_people_type_becomes_e164_digits(typed, country, expected):
    assert phone_normalise(typed, country) == expected


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "must have 8 to 20 characters"),
        ("abc", "is not a phone number"),
        ("1-800-FLOWERS", "is not a phone number"),
        ("96123456x", "is not a phone number"),
        ("123", "does not have the length of a number of its country"),
        ("+33123", "does not have the length of a number of its country"),
        ("+999123456789", "has an unknown country code"),
        ("22012345678901234567", "does not have the length of a number of its country"),
        ("9" * 60, "must have 8 to 20 characters"),
    ],
)
def test_what_cannot_be_a_number_says_why(typed, reason):
    with pytest.raises(BadPhone, match=reason):
        phone_normalise(typed, "BJ")


@pytest.mark.parametrize("typed", ["5215512345678", "+52 1 55 1234 5678", "005215512345678"])
def test_mexican_mobile_numbers_keep_the_one_that_whatsapp_knows_them_by(typed):
    assert phone_normalise(typed, "BJ") == "5215512345678"
    assert phone_normalise("+525512345678", "BJ") == "525512345678"
