"""Tables for spreadsheets: CSV line by line, XLSX row by row, and no cell that is taken for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO, Any, Final

from openpyxl import Workbook

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
# What openpyxl refuses because XML cannot hold it.
_CONTROLS: Final = {number: None for number in range(32) if number not in (9, 10, 13)}
SHEET_ROWS: Final = 1_048_576


class _Echo:
    """A file that hands every line back instead of keeping it."""

    def write(self, value: str) -> str:
        return value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Lines of CSV in UTF-8 with a byte order mark, by which Excel knows the encoding."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow([plain_cell(cell) for cell in header])
    for row in rows:
        yield writer.writerow([plain_cell(cell) for cell in row])


def sheet_file(header: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str) -> IO[bytes]:
    """An XLSX workbook in a temporary file, written row by row; it is at its beginning and removed when closed."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(title)
    sheet.append([_sheet_cell(cell) for cell in header])
    for row in rows:
        sheet.append([_sheet_cell(cell) for cell in row])
    target = TemporaryFile()  # noqa: SIM115  the caller closes it
    workbook.save(target)
    target.seek(0)
    return target


def plain_cell(value: Any) -> str:
    """A text that no spreadsheet takes for a formula: marked with a quote where it begins like one.

    A phone number with its plus is none.
    """
    text = "" if value is None else str(value)
    if not text.startswith(_FORMULA) or (text[0] == "+" and text[1:].isdigit()):
        return text
    return f"'{text}"


def _sheet_cell(value: Any) -> str:
    return plain_cell(value).translate(_CONTROLS)[:32_767]
