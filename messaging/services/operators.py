"""Operators of numbers for the current organisation: its own prefixes first, then the platform's table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import phonenumbers

from contacts.phones import BadPhone, phone_normalise
from messaging.models import OperatorPrefix
from messaging.operators import UNKNOWN, OperatorTable, carrier_table, operator_table
from messaging.sms_text import TextCost, text_cost
from tenants.connection import connection

# A changed prefix counts on every process after this time.
_KNOWN_SECONDS: Final = 1.0
_KNOWN_MAX: Final = 1_000
_EMPTY: Final = operator_table({})

_cache: dict[str, tuple[float, OperatorTable]] = {}


class Operators:
    """The look-up of one organisation at one moment; `of` takes E.164 digits without +.

    An organisation's own prefix beats every entry of the platform's table, also a longer one.
    """

    def __init__(self, own: OperatorTable) -> None:
        self._own = own
        self._carriers = carrier_table()

    @property
    def own(self) -> Mapping[str, str]:
        """The organisation's own prefixes."""
        return self._own.prefixes

    def of(self, phone: str) -> str:
        """The operator's slug, or "unknown"."""
        return self._own.find(phone) or self._carriers.find(phone) or UNKNOWN

    @property
    def key_length(self) -> int:
        """How many leading digits decide: numbers that share them have the same operator."""
        return max((*self._own.lengths[:1], *self._carriers.lengths[:1]), default=0)


def operators_current() -> Operators:
    """The look-up of the current schema, at most a second old. In the public schema the platform's table alone."""
    schema = connection.schema_name or ""
    now = time.monotonic()
    known = _cache.get(schema)
    if known is None or known[0] <= now:
        own = dict(OperatorPrefix.objects.values_list("prefix", "operator")) if schema != "public" else {}
        known = (now + _KNOWN_SECONDS, operator_table(own) if own else _EMPTY)
        if len(_cache) >= _KNOWN_MAX:
            _cache.clear()
        _cache[schema] = known
    return Operators(known[1])


def operator_of(phone: str) -> str:
    """The operator of E.164 digits without +: a slug such as `airtel`, or `unknown`."""
    return operators_current().of(phone)


def operators_of(phones: Iterable[str]) -> list[str]:
    """The operators of many numbers, in their order; numbers that begin alike are looked up once."""
    operators = operators_current()
    length, known = operators.key_length, dict[str, str]()
    found = []
    for phone in phones:
        key = phone[:length]
        operator = known.get(key)
        if operator is None:
            operator = known[key] = operators.of(key)
        found.append(operator)
    return found


def cache_clear() -> None:
    """Forget what is remembered; for tests, and after a change by this process."""
    _cache.clear()


@dataclass(frozen=True, slots=True)
class NumberAnalysis:
    """One number as given: `phone` is E.164 with + when it is valid, else what was given."""

    given: str
    phone: str
    operator: str
    is_valid: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """Numbers with their operators; `counts` has every operator that occurs. `text`: what the text costs per number."""

    numbers: list[NumberAnalysis]
    counts: Mapping[str, int] = field(default_factory=dict)
    text: TextCost | None = None

    @property
    def total(self) -> int:
        return len(self.numbers)

    @property
    def segments(self) -> int:
        """SMS of the text to all valid numbers together; 0 without a text."""
        return 0 if self.text is None else self.text.segments * sum(number.is_valid for number in self.numbers)


def numbers_analyze(*, phones: Sequence[str], country: str, text: str | None = None) -> Analysis:
    """Who the numbers belong to, and what `text` costs.

    Numbers are read as those of `country` (ISO code) unless they carry a country code. One that cannot exist is not
    valid, but its beginning still names an operator: `0777000003` in Gabon begins like 241 77.
    """
    read = [_read(phone, country) for phone in phones]
    operators = operators_of(digits for digits, _ in read)
    numbers = [
        NumberAnalysis(given, f"+{digits}" if is_valid else given, operator, is_valid)
        for given, (digits, is_valid), operator in zip(phones, read, operators, strict=True)
    ]
    return Analysis(numbers, Counter(operators), None if text is None else text_cost(text))


def _read(phone: str, country: str) -> tuple[str, bool]:
    """(digits with country code as far as they can be told, whether it can exist)."""
    try:
        return phone_normalise(phone, country), True
    except BadPhone:
        digits = "".join(filter(str.isascii, filter(str.isdigit, phone)))
    text = phone.strip()
    if text.startswith("+"):
        return digits, False
    if text.startswith("00"):
        return digits[2:], False
    code = phonenumbers.country_code_for_region(country)
    return (f"{code}{digits.lstrip('0')}" if code else digits), False
