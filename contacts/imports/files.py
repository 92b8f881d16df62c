"""Text files of rows: which encoding and separator they have, and reading them from any stored place on.

A place is a number of bytes. Every encoding here but UTF-16 has line ends of one byte, so that a place is always the
end of a row; files in UTF-16 are written anew in UTF-8 before they are read (`contacts.imports.sheets`).
"""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, Final

from django.utils.translation import gettext as _

UTF_8, UTF_16, CP1252, LATIN_9 = "utf-8", "utf-16", "cp1252", "iso-8859-15"
ENCODINGS: Final = {
    UTF_8: "UTF-8",
    UTF_16: "UTF-16",
    CP1252: "Windows-1252",
    LATIN_9: "ISO-8859-15",
}
DELIMITERS: Final = (",", ";", "\t", "|")
# What `errors="replace"` puts where bytes are no text in the encoding.
UNREADABLE: Final = "\ufffd"
SAMPLE_BYTES: Final = 65_536
_BLOCK: Final = 262_144
# Longer lines are no rows of contacts.
LINE_BYTES: Final = 1_048_576
_SAMPLE_ROWS: Final = 20
_CONTROLS: Final = frozenset(range(32)) - frozenset(b"\t\r\n\x0b\x0c\x1b\x00")


class BadFile(ValueError):
    """The file cannot be read as rows; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its number in the file from 1, and its cells, or why it cannot be read."""

    row: int
    cells: list[str]
    problem: str = ""


class RecordReader:
    """Rows of a text file from byte `offset` on; `offset` and `row` always tell the place after the last row given."""

    def __init__(
        self, source: BinaryIO | IO[bytes], *, encoding: str, delimiter: str, offset: int = 0, row: int = 0
    ) -> None:
        self._source = source
        self._encoding = encoding
        self._delimiter = delimiter
        self.restart(offset, row)

    def restart(self, offset: int, row: int) -> None:
        """Go on at another place."""
        self.offset, self.row = offset, row
        self._source.seek(offset)
        if offset == 0 and self._encoding == UTF_8:
            self._skip_mark()
        self._reader = csv.reader(self._lines(), delimiter=self._delimiter)

    def __iter__(self) -> Iterator[Record]:
        while True:
            first = self.row + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                self.row += 1
                yield Record(first, [], _("cannot be read: a quotation mark may not be closed, or a cell is too long"))
                continue
            self.row += 1
            yield Record(first, cells)

    def _skip_mark(self) -> None:
        if self._source.read(3) == codecs.BOM_UTF8:
            self.offset = 3
        self._source.seek(self.offset)

    def _lines(self) -> Iterator[str]:
        """Lines with their ends. csv.reader takes one at a time, so `offset` is the end of the row that it gives."""
        rest = b""
        encoding = self._encoding
        while block := self._source.read(_BLOCK):
            lines = (rest + block).splitlines(keepends=True)
            # The last one may go on in the next block, also if only by the second half of its line end.
            rest = lines.pop()
            if len(rest) > LINE_BYTES:
                raise BadFile(_("has a line of more than 1 MB: is it a file of rows?"))
            for line in lines:
                self.offset += len(line)
                yield line.decode(encoding, "replace")
        if rest:
            self.offset += len(rest)
            yield rest.decode(encoding, "replace")


def encoding_detect(source: BinaryIO | IO[bytes]) -> str:
    """The encoding of the text: by its mark, else UTF-8 if the whole of it is that, else Windows-1252.

    Raises `BadFile` for what is no text.
    """
    source.seek(0)
    head = source.read(SAMPLE_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return UTF_16
    if head.count(0) > len(head) // 8:
        raise BadFile(_("is not a text file: save it as CSV (UTF-8) or as XLSX"))
    if sum(count for byte, count in Counter(head).items() if byte in _CONTROLS) > len(head) // 50:
        raise BadFile(_("is not a text file: save it as CSV (UTF-8) or as XLSX"))
    decoder = codecs.getincrementaldecoder(UTF_8)()
    source.seek(0)
    try:
        while block := source.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return CP1252
    return UTF_8


def delimiter_detect(sample: str) -> str:
    """The separator that cuts the first rows into the same number of columns most often; a comma when none does."""
    lines = [line for line in sample.splitlines() if line.strip()][: _SAMPLE_ROWS + 1]
    if not lines:
        return ","
    declared = lines[0].strip().lower()
    if len(declared) == 5 and declared.startswith("sep=") and declared[4] in DELIMITERS:
        return declared[4]
    return max(DELIMITERS, key=lambda delimiter: (_fit(lines, delimiter), -DELIMITERS.index(delimiter)))


def _fit(lines: list[str], delimiter: str) -> tuple[int, int]:
    """(rows with as many columns as the first one, columns); nothing when there is one column only."""
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return 0, 0
    columns = len(rows[0]) if rows else 0
    return (sum(len(row) == columns for row in rows), columns) if columns > 1 else (0, 0)


def is_declaration(cells: list[str], delimiter: str) -> bool:
    """Whether a first row is `sep=;`, with which Excel is told the separator."""
    text = delimiter.join(cells).strip().lower()
    return len(text) <= 5 and text.startswith("sep=")
