"""Phone numbers: what people type becomes E.164 digits, or a reason why not."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from phonenumbers import NumberParseException

# Letters would be read as a vanity number (1-800-FLOWERS), which nobody means here.
_STRANGE = re.compile(r"[^\d\s().\-+/]")


class BadPhone(ValueError):
    """The text is not a phone number that can exist; the message says why."""


_REASONS = {
    NumberParseException.INVALID_COUNTRY_CODE: gettext_lazy("has an unknown country code"),
    NumberParseException.NOT_A_NUMBER: gettext_lazy("is not a phone number"),
    NumberParseException.TOO_SHORT_AFTER_IDD: gettext_lazy("is too short"),
    NumberParseException.TOO_SHORT_NSN: gettext_lazy("is too short"),
    NumberParseException.TOO_LONG: gettext_lazy("is too long"),
}

# Country code -> national numbers in a form before the last renumbering, which address books and accounts at the
# providers still hold: passed on unchanged. Benin went from 8 to 10 digits on 30 November 2024; Mexico dropped the 1 in
# front of mobile numbers on 3 August 2019, and WhatsApp's own ids keep it.
FORMER_NUMBERS = {229: re.compile(r"\d{8}"), 52: re.compile(r"1\d{10}")}


_FORMER = re.compile("|".join(f"{code}(?:{item.pattern})" for code, item in FORMER_NUMBERS.items()), re.ASCII)


@lru_cache(maxsize=65_536)
def phone_normalise(value: str, country: str) -> str:
    """E.164 digits without + of `value`, read as a number of `country` unless it carries a country code.

    With + or 00 it is taken as it stands. Otherwise it may be a number of `country`, or begin with a country code, the
    way most back ends store numbers (22996123456). Raises `BadPhone`.
    """
    text = value.strip()
    if not 3 <= len(text) <= 32:
        raise BadPhone(_("must have 8 to 20 characters"))
    if _STRANGE.search(text):
        raise BadPhone(_("is not a phone number"))
    if is_former_number(text):
        return text
    if text.startswith("00"):
        text = "+" + text[2:]
    if text.startswith("+"):
        return _digits(_parse(text, None))
    # A number in use beats one whose length alone is right; the national reading beats the international one.
    readings: list[phonenumbers.PhoneNumber] = []
    refusals: list[BadPhone] = []
    for number, region in ((text, country), ("+" + text, None)):
        try:
            reading = _parse(number, region)
        except BadPhone as error:
            refusals.append(error)
            continue
        if phonenumbers.is_valid_number(reading):
            return _digits(reading)
        readings.append(reading)
    if not readings:
        raise refusals[0]
    return _digits(next((reading for reading in readings if _can_exist(reading)), readings[0]))


def _parse(text: str, country: str | None) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException as error:
        raise BadPhone(str(_REASONS.get(error.error_type, _("is not a phone number")))) from error


def _digits(number: phonenumbers.PhoneNumber) -> str:
    if not _can_exist(number):
        raise BadPhone(_("does not have the length of a number of its country"))
    return f"{number.country_code}{phonenumbers.national_significant_number(number)}"


def _can_exist(number: phonenumbers.PhoneNumber) -> bool:
    if phonenumbers.is_possible_number(number):
        return True
    former = FORMER_NUMBERS.get(number.country_code or 0)
    return former is not None and former.fullmatch(phonenumbers.national_significant_number(number)) is not None


def is_former_number(text: str) -> bool:
    """Digits with country code in a form that was renumbered lately."""
    return _FORMER.fullmatch(text) is not None
