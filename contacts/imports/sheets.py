"""Files that are no plain lines become such: the first sheet of an XLSX workbook, and text in UTF-16."""

from __future__ import annotations

import codecs
import csv
import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import IO, Any, BinaryIO, Final
from xml.etree.ElementTree import ParseError

from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from contacts.imports.files import BadFile

# An XLSX file is a zip archive of XML. Python reads no more of a member than its directory announces, so that the sums
# below hold; openpyxl keeps the table of strings in memory and everything else in passing.
UNPACKED_BYTES: Final = 600 * 1024 * 1024
STRINGS_BYTES: Final = 100 * 1024 * 1024
MEMBERS: Final = 2_000
_RATIO: Final = 200
# Smaller archives may be packed as tightly as they like.
_RATIO_FROM: Final = 20 * 1024 * 1024
ROWS: Final = 1_048_576
COLUMNS: Final = 200
_BLOCK: Final = 262_144
_BROKEN: Final = (
    InvalidFileException,
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    ParseError,
    OSError,
)


def is_archive(head: bytes) -> bool:
    """Whether a file that begins so is an XLSX workbook (or another archive)."""
    return head.startswith(b"PK\x03\x04")


def is_old_workbook(head: bytes) -> bool:
    """Whether a file that begins so is a workbook of Excel 97 to 2003."""
    return head.startswith(b"\xd0\xcf\x11\xe0")


def sheet_rows(source: BinaryIO | IO[bytes]) -> Iterator[list[str]]:
    """The rows of the first sheet as texts; formulas by their last values. Raises `BadFile`."""
    _guard(source)
    try:
        with warnings.catch_warnings():
            # Styles and extensions that openpyxl does not keep: nothing of it is wanted here.
            warnings.simplefilter("ignore")
            workbook = load_workbook(source, read_only=True, data_only=True, keep_links=False)
            sheet = next((sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"), None)
            if sheet is None:
                raise BadFile(_("has no sheet with rows"))
            # The size that a sheet claims may be anything.
            sheet.reset_dimensions()
            for number, cells in enumerate(sheet.iter_rows(values_only=True, max_col=COLUMNS + 1)):
                if number >= ROWS:
                    raise BadFile(_("has more than %(rows)s rows") % {"rows": ROWS})
                texts = [_text(cell) for cell in cells]
                while texts and not texts[-1]:
                    texts.pop()
                yield texts
            workbook.close()
    except BadFile:
        raise
    except _BROKEN as error:
        raise BadFile(_("is not a workbook that can be read: save it anew as XLSX or CSV")) from error


def sheet_to_lines(source: BinaryIO | IO[bytes], target: BinaryIO | IO[bytes]) -> None:
    """Write the rows of the first sheet to `target` as CSV in UTF-8 with commas. Raises `BadFile`."""
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text)
    for cells in sheet_rows(source):
        writer.writerow(cells)
    text.flush()
    text.detach()


def text_to_lines(source: BinaryIO | IO[bytes], target: BinaryIO | IO[bytes], *, encoding: str) -> None:
    """Write a text to `target` in UTF-8, without its mark; bytes that are no text become U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    source.seek(0)
    while block := source.read(_BLOCK):
        target.write(decoder.decode(block).encode())
    target.write(decoder.decode(b"", final=True).encode())


def _guard(source: BinaryIO | IO[bytes]) -> None:
    """Refuse archives that would fill the memory or the disk."""
    source.seek(0)
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise BadFile(_("is damaged: it cannot be unpacked")) from error
    names = {member.filename for member in members}
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise BadFile(_("is an archive, not a workbook: unpack it first"))
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    strings = sum(member.file_size for member in members if member.filename.lower().endswith("sharedstrings.xml"))
    if unpacked > UNPACKED_BYTES or strings > STRINGS_BYTES or len(members) > MEMBERS:
        raise BadFile(_("is too large for a workbook: save it as CSV"))
    if unpacked > _RATIO_FROM and unpacked > _RATIO * max(packed, 1):
        raise BadFile(_("is packed far more tightly than a list of contacts can be"))
    source.seek(0)


def _text(value: Any) -> str:
    """A cell as one would type it; an error of a formula is an empty cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return "" if text.startswith("#") and text in _ERRORS else text


_ERRORS: Final = frozenset({"#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "#NULL!"})
