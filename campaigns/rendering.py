"""Content with variables as an SQL expression, and which values need a closer look before they are put into it.

The set-based launch renders 20,000 messages with one statement. The driver stays the judge of what may be sent: it is
asked here, once per campaign, up to which length values are harmless; rows beyond that are checked one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from campaigns.personalisation import CUSTOM, Variable, content_personalise, content_variables, pieces
from messaging.drivers.base import ContentError, Driver

# Longer values are always checked one by one.
LONGEST_VALUE: Final = 1000
_ODD: Final = "a\nb\tc     d"
# Over the columns of an audience query, see `campaigns.audience`; equal to `personalisation.contact_values`.
_VALUES: Final[Mapping[str, str]] = {
    "nom": "btrim({row}.name, ' ')",
    "prenom": "split_part(btrim({row}.name, ' '), ' ', 1)",
    "email": "{row}.email",
    "telephone": "'+' || NULLIF({row}.phone, '')",
}


@dataclass(frozen=True, slots=True)
class ValueLimits:
    """Which values are harmless in a content.

    `longest`: bytes of UTF-8. `empty_is_fine`: values may be missing. `odd_is_fine`: line breaks, tabs and runs of
    spaces are allowed.
    """

    longest: int
    empty_is_fine: bool
    odd_is_fine: bool


def value_limits(content: Mapping[str, Any], driver: Driver) -> ValueLimits:
    """Ask the driver. Raises `ContentError` when not even ordinary values make a content that may be sent."""
    names = content_variables(content)
    driver.validate(content_personalise(content, dict.fromkeys(names, "x")))
    if not names:
        return ValueLimits(LONGEST_VALUE, True, True)

    def passes(value: str) -> bool:
        try:
            driver.validate(content_personalise(content, dict.fromkeys(names, value)))
        except ContentError:
            return False
        return True

    # A value of n bytes has at most n characters, whatever they are: wide ones change the encoding of a text message.
    longest = min(_longest(lambda length: passes("x" * length)), _longest(lambda length: passes("中" * length)))
    return ValueLimits(longest, passes(""), passes(_ODD))


def _longest(fits: Callable[[int], bool]) -> int:
    low, high = 0, LONGEST_VALUE + 1
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


@dataclass(slots=True)
class SqlParts:
    """Expressions under construction: parameters by name, and the columns that hold the variables' values."""

    params: dict[str, Any] = field(default_factory=dict)
    columns: dict[Variable, str] = field(default_factory=dict)

    def parameter(self, value: Any) -> str:
        """The placeholder of a new parameter."""
        name = f"part_{len(self.params)}"
        self.params[name] = value
        return f"%({name})s"

    def column(self, variable: Variable) -> str:
        """The name of the column with the variable's value, its fallback included."""
        return self.columns.setdefault(variable, f"value_{len(self.columns)}")

    def column_definitions(self, row: str) -> list[str]:
        """`expression AS name` of every column, over the audience's row `row`."""
        return [f"{self._value(variable, row)} AS {name}" for variable, name in list(self.columns.items())]

    def _value(self, variable: Variable, row: str) -> str:
        if variable.name.startswith(CUSTOM):
            value = f"{row}.custom ->> {self.parameter(variable.name.removeprefix(CUSTOM))}"
        else:
            value = _VALUES[variable.name].format(row=row)
        return f"COALESCE(NULLIF({value}, ''), {self.parameter(variable.fallback)})"


def content_sql(content: Any, parts: SqlParts) -> str:
    """A jsonb expression that builds `content` from the columns of `parts`."""
    if not content_variables(content):
        return f"{parts.parameter(orjson.dumps(content).decode())}::jsonb"
    if isinstance(content, str):
        return f"to_jsonb({text_sql(content, parts)})"
    if isinstance(content, Mapping):
        pairs = (f"{parts.parameter(key)}::text, {content_sql(value, parts)}" for key, value in content.items())
        return f"jsonb_build_object({', '.join(pairs)})"
    return f"jsonb_build_array({', '.join(content_sql(value, parts) for value in content)})"


def text_sql(text: str, parts: SqlParts) -> str:
    """A text expression that fills `text`."""
    expressions = (
        f"{parts.parameter(piece)}::text" if isinstance(piece, str) else parts.column(piece) for piece in pieces(text)
    )
    return "(" + " || ".join(expressions) + ")"


def odd_sql(limits: Sequence[ValueLimits], parts: SqlParts) -> str:
    """Whether a row has a value that needs a closer look, by the strictest of `limits`."""
    if not parts.columns:
        return "false"
    longest = min(limit.longest for limit in limits)
    tests = []
    for column in parts.columns.values():
        tests.append(f"octet_length({column}) > {longest}")
        if not all(limit.empty_is_fine for limit in limits):
            tests.append(f"{column} = ''")
        if not all(limit.odd_is_fine for limit in limits):
            tests.append(f"{column} ~ '[[:cntrl:]]|   '")
    return "(" + " OR ".join(tests) + ")"
