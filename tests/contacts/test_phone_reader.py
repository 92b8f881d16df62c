"""The quick reading of phone numbers is the exact one."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from contacts.phone_reader import PhoneReader
from contacts.phones import BadPhone, phone_normalise

COUNTRIES = ("BJ", "FR", "GA", "US", "CA", "GB", "IT", "MX", "BR", "AR", "IN", "CI", "SN", "NG", "CD", "RU", "KZ", "JM")
_READERS = {country: PhoneReader(country) for country in (*COUNTRIES, "ZZ")}


def outcome(read, *arguments):
    try:
        return read(*arguments)
    except BadPhone as error:
        return f"refused: {error}"


def assert_same(text, country):
    assert outcome(_READERS[country].read, text) == outcome(phone_normalise, text, country), (text, country)


@pytest.mark.parametrize("country", ("BJ", "FR", "US", "BR", "GB"))
def test_example_numbers_of_every_region_and_type_in_every_form_are_read_alike(country):
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            forms = [e164, e164[1:], f"00{e164[1:]}", phonenumbers.national_significant_number(number), national]
            for text in (*forms, e164[:-1], e164[1:-1], f"{e164}7", f"{e164[1:]}7"):
                assert_same(text, country)


digits = st.text("0123456789", min_size=1, max_size=18)
prefixes = st.sampled_from(
    ("", "", "+", "00", "0", "229", "+229", "33", "+33", "1", "+1", "241", "+44", "52", "+52", "39")
)


@settings(max_examples=1500)
@given(prefix=prefixes, rest=digits, country=st.sampled_from((*COUNTRIES, "ZZ")))
@example(prefix="229", rest="96123456", country="BJ")
@example(prefix="+229", rest="96123456", country="BJ")
@example(prefix="+52", rest="15512345678", country="MX")
def test_any_digits_are_read_alike(prefix, rest, country):
    assert_same(prefix + rest, country)


@settings(max_examples=500)
@given(text=st.text("0123456789+ .-()/x\u0664\u00a0\t", max_size=24), country=st.sampled_from(COUNTRIES))
def test_any_writing_is_read_alike(text, country):
    assert_same(text, country)
