"""One row of a file becomes the values of a contact, or the reason why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from contacts.imports.columns import CUSTOM
from contacts.imports.files import UNREADABLE, Record
from contacts.phone_reader import PhoneReader
from contacts.phones import BadPhone
from contacts.services.custom_fields import FieldRule, custom_normalise
from contacts.services.groups import group_name_clean
from contacts.values import email_clean, language_clean, name_clean, status_clean, tags_clean, timezone_clean
from tenants.errors import InvalidInput

REASON_LENGTH: Final = 300
CELL_LENGTH: Final = 1_000
CELLS_KEPT: Final = 200
_STATUSES: Final = {
    **dict.fromkeys(("active", "actif", "active", "activo", "activa", "oui", "yes", "si", "sí", "1", "true"), "active"),
    **dict.fromkeys(("inactive", "inactif", "inactivo", "inactiva", "disabled", "non", "no", "0", "false"), "inactive"),
}
# How our own exports, and spreadsheets, mark a text that must not be taken for a formula.
_MARKED: Final = ("'=", "'+", "'-", "'@")


@dataclass(slots=True)
class Row:
    """The values of one person; None where the file says nothing, which leaves what is stored."""

    row: int
    phone: str
    cells: list[str]
    name: str | None = None
    email: str | None = None
    status: str | None = None
    custom: dict[str, Any] | None = None
    tags: list[str] | None = None
    group: str | None = None
    language: str | None = None
    timezone: str | None = None

    def take(self, later: Row) -> None:
        """What a later row of the same person says counts; what it leaves empty stays."""
        self.row, self.cells = later.row, later.cells
        for field in ("name", "email", "status", "group", "language", "timezone"):
            value = getattr(later, field)
            if value is not None:
                setattr(self, field, value)
        if later.custom:
            self.custom = {**(self.custom or {}), **later.custom}
        if later.tags:
            self.tags = sorted({*(self.tags or ()), *later.tags})


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that is not taken: the columns and reasons, and what it said."""

    row: int
    column: str
    reason: str
    cells: list[str]


class RowReader:
    """Reads the rows of one file: the mapping, the country and the custom fields are the same for all of them."""

    def __init__(
        self, *, columns: Sequence[str], mapping: Sequence[str], country: str, rules: Mapping[str, FieldRule]
    ) -> None:
        self._columns = list(columns)
        self._phones = PhoneReader(country)
        self._phone = mapping.index("phone")
        self._rules = rules
        self._values: list[tuple[int, str, Callable[[str], Any]]] = [
            (place, target, _CLEANERS[target]) for place, target in enumerate(mapping) if target in _CLEANERS
        ]
        self._first, self._last = (
            mapping.index(target) if target in mapping else None for target in ("first_name", "last_name")
        )
        self._custom = [
            (place, target.removeprefix(CUSTOM)) for place, target in enumerate(mapping) if target.startswith(CUSTOM)
        ]

    def read(self, record: Record) -> Row | Problem | None:
        """The row's values; a `Problem`; None for a row without any text."""
        cells = record.cells
        if record.problem:
            return Problem(record.row, "", record.problem, [])
        if not any(cells) or not "".join(cells).strip():
            return None
        problems: list[tuple[int | None, str]] = []
        row = Row(record.row, self._phone_of(cells, problems), cells)
        for place, target, clean in self._values:
            text = cell(cells, place)
            if text:
                try:
                    setattr(row, target, clean(text))
                except ValueError as error:
                    problems.append((place, str(error)))
        if row.name is None:
            self._name_join(row, cells, problems)
        if self._custom:
            self._custom_read(row, cells, problems)
        if UNREADABLE in "".join(cells):
            problems.append((None, "has characters that cannot be read: choose another encoding"))
        return self.problem(record.row, problems, cells) if problems else row

    def problem(self, row: int, problems: Sequence[tuple[int | None, str]], cells: Sequence[str]) -> Problem:
        """`problems`: (place of the column or None, reason)."""
        names = [self._columns[place] for place, _ in problems if place is not None and place < len(self._columns)]
        reasons = "; ".join(
            f"{self._columns[place]} {reason}" if place is not None and len(problems) > 1 else reason
            for place, reason in problems
        )
        return Problem(row, ", ".join(dict.fromkeys(names))[:120], reasons[:REASON_LENGTH], cells_kept(cells))

    def _phone_of(self, cells: list[str], problems: list[tuple[int | None, str]]) -> str:
        text = cell(cells, self._phone)
        try:
            if not text:
                raise BadPhone("is required")
            return self._phones.read(text)
        except BadPhone as error:
            problems.append((self._phone, str(error)))
            return ""

    def _name_join(self, row: Row, cells: list[str], problems: list[tuple[int | None, str]]) -> None:
        parts = [cell(cells, place) for place in (self._first, self._last) if place is not None]
        if any(parts):
            try:
                row.name = name_clean(" ".join(parts))
            except ValueError as error:
                problems.append((self._first if self._first is not None else self._last, str(error)))

    def _custom_read(self, row: Row, cells: list[str], problems: list[tuple[int | None, str]]) -> None:
        given = {key: text for place, key in self._custom if (text := cell(cells, place))}
        if not given:
            return
        try:
            row.custom = custom_normalise(given, self._rules)
        except InvalidInput as error:
            places = {f"custom_fields.{key}": place for place, key in self._custom}
            problems.extend((places.get(field), reason) for field, reason in error.fields.items())


def cells_kept(cells: Sequence[str]) -> list[str]:
    """What is shown of a row that was not taken."""
    return [text.replace("\x00", "")[:CELL_LENGTH] for text in cells[:CELLS_KEPT]]


def cell(cells: Sequence[str], place: int) -> str:
    """The text of a cell without spaces around it and without the mark of a text that is no formula."""
    if place >= len(cells):
        return ""
    text = cells[place].strip()
    return text[1:] if text.startswith(_MARKED) else text


@lru_cache(maxsize=1024)
def _status(text: str) -> str:
    return _STATUSES.get(text.lower()) or status_clean(text)


@lru_cache(maxsize=4096)
def _tags(text: str) -> tuple[str, ...]:
    for separator in (";", "|"):
        text = text.replace(separator, ",")
    return tuple(tags_clean(text.split(",")))


_CLEANERS: Final[dict[str, Callable[[str], Any]]] = {
    "name": name_clean,
    "email": email_clean,
    "status": _status,
    "tags": lambda text: list(_tags(text)),
    "group": lru_cache(maxsize=4096)(group_name_clean),
    "language": lru_cache(maxsize=1024)(language_clean),
    "timezone": lru_cache(maxsize=1024)(timezone_clean),
}
