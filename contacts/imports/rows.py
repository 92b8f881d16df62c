"""One row of a file becomes the values of a contact, or the reason why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.utils.translation import gettext as _

from contacts.imports.columns import CUSTOM
from contacts.imports.files import UNREADABLE, Record
from contacts.phone_reader import PhoneReader
from contacts.phones import BadPhone
from contacts.services.custom_fields import FieldRule, custom_value
from contacts.services.groups import group_name_clean
from contacts.values import email_clean, language_clean, name_clean, status_clean, tags_clean, timezone_clean

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
    # What `contacts.imports.staging` makes of the values.
    line: str = ""

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
        self._width = len(mapping)
        self._values: list[tuple[int, str, Callable[[str], Any]]] = [
            (place, target, _CLEANERS[target]) for place, target in enumerate(mapping) if target in _CLEANERS
        ]
        self._names = [mapping.index(target) for target in ("first_name", "last_name") if target in mapping]
        custom = [(place, target.removeprefix(CUSTOM)) for place, target in enumerate(mapping) if CUSTOM in target]
        # A field that was deleted since the start is left out.
        self._custom = [(place, key, rules[key]) for place, key in custom if key in rules]

    def read(self, record: Record) -> Row | Problem | None:
        """The row's values; a `Problem`; None for a row without any text."""
        if record.problem:
            return Problem(record.row, "", record.problem, [])
        texts = _plain_texts(record.cells)
        everything = "".join(texts)
        if not everything:
            return None
        texts.extend([""] * (self._width - len(texts)))
        problems: list[tuple[int | None, str]] = []
        row = Row(record.row, self._phone_of(texts[self._phone], problems), record.cells)
        for place, target, clean in self._values:
            if texts[place]:
                try:
                    setattr(row, target, clean(texts[place]))
                except ValueError as error:
                    problems.append((place, str(error)))
        if self._names and row.name is None:
            self._name_join(row, texts, problems)
        if self._custom:
            self._custom_read(row, texts, problems)
        if UNREADABLE in everything:
            problems.append((None, _("has characters that cannot be read: choose another encoding")))
        return self.problem(record.row, problems, record.cells) if problems else row

    def problem(self, row: int, problems: Sequence[tuple[int | None, str]], cells: Sequence[str]) -> Problem:
        """`problems`: (place of the column or None, reason)."""
        names = [
            self._columns[place] for place, _reason in problems if place is not None and place < len(self._columns)
        ]
        reasons = "; ".join(
            f"{self._columns[place]} {reason}" if place is not None and len(problems) > 1 else reason
            for place, reason in problems
        )
        return Problem(row, ", ".join(dict.fromkeys(names))[:120], reasons[:REASON_LENGTH], cells_kept(cells))

    def _phone_of(self, text: str, problems: list[tuple[int | None, str]]) -> str:
        try:
            if not text:
                raise BadPhone(_("is required"))
            return self._phones.read(text)
        except BadPhone as error:
            problems.append((self._phone, str(error)))
            return ""

    def _name_join(self, row: Row, texts: list[str], problems: list[tuple[int | None, str]]) -> None:
        name = " ".join(filter(None, (texts[place] for place in self._names)))
        if name:
            try:
                row.name = name_clean(name)
            except ValueError as error:
                problems.append((self._names[0], str(error)))

    def _custom_read(self, row: Row, texts: list[str], problems: list[tuple[int | None, str]]) -> None:
        values: dict[str, Any] = {}
        for place, key, rule in self._custom:
            if texts[place]:
                try:
                    values[key] = custom_value(texts[place], rule)
                except ValueError as error:
                    problems.append((place, str(error)))
        row.custom = values or None


def cells_kept(cells: Sequence[str]) -> list[str]:
    """What is shown of a row that was not taken."""
    return [text.replace("\x00", "")[:CELL_LENGTH] for text in cells[:CELLS_KEPT]]


def _plain_texts(cells: Sequence[str]) -> list[str]:
    """The cells without spaces around them and without the mark of a text that is no formula."""
    return [text[1:] if text.startswith(_MARKED) else text for text in map(str.strip, cells)]


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
