"""Uploads of rows in the storage of media: checked on the way in, opened from any place on, removed for good."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, Final

from django.utils.translation import gettext as _

from contacts.imports.files import (
    SAMPLE_BYTES,
    UTF_8,
    UTF_16,
    BadFile,
    RecordReader,
    delimiter_detect,
    encoding_detect,
    is_declaration,
)
from contacts.imports.sheets import is_archive, is_old_workbook, sheet_rows, sheet_to_lines, text_to_lines
from contacts.models import ContactImport
from messaging.media.files import file_store, media_storage
from tenants.fields import uuid7

SAMPLE_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is to be read; encoding and separator say nothing of a workbook."""

    format: str
    encoding: str
    delimiter: str


def shape_detect(source: BinaryIO | IO[bytes], *, encoding: str = "", delimiter: str = "") -> Shape:
    """What kind of file it is. A given `encoding` or `delimiter` counts. Raises `BadFile`."""
    source.seek(0)
    head = source.read(SAMPLE_BYTES)
    if not head.strip(b"\x00\t\r\n "):
        raise BadFile(_("is empty"))
    if is_archive(head):
        return Shape(ContactImport.Format.XLSX, UTF_8, ",")
    if is_old_workbook(head):
        raise BadFile(_("is a workbook of Excel 97-2003: save it as XLSX or CSV"))
    found = encoding or encoding_detect(source)
    decoder = codecs.getincrementaldecoder(found)("replace")
    sample = decoder.decode(head).removeprefix("\ufeff")
    return Shape(ContactImport.Format.CSV, found, delimiter or delimiter_detect(sample))


def sample_read(source: BinaryIO | IO[bytes], shape: Shape, *, rows: int = SAMPLE_ROWS + 1) -> list[list[str]]:
    """The first rows that are not empty, a declared separator left out. Raises `BadFile`."""
    if shape.format == ContactImport.Format.XLSX:
        found: Iterator[list[str]] = sheet_rows(source)
        return list(islice((cells for cells in found if any(cells)), rows))
    with _as_lines(source, shape) as lines:
        reader = RecordReader(lines, encoding=_line_encoding(shape), delimiter=shape.delimiter)
        found = (record.cells for record in reader if any(record.cells))
        first = next(found, None)
        if first is None or is_declaration(first, shape.delimiter):
            return list(islice(found, rows))
        return [first, *islice(found, rows - 1)]


def upload_store(source: BinaryIO | IO[bytes]) -> str:
    """Keep a file; returns its name in the storage."""
    source.seek(0)
    return file_store(source, file_uuid=uuid7())


def upload_remove(path: str) -> None:
    """Remove a file for good; one that is gone already is fine."""
    if path:
        media_storage().delete(path)


@contextmanager
def upload_open(path: str) -> Iterator[IO[Any]]:
    """The stored bytes, seekable."""
    with media_storage().open(path, "rb") as stored:
        yield stored


def shape_of(contact_import: ContactImport) -> Shape:
    """How the import's upload is read."""
    return Shape(contact_import.format, contact_import.encoding, contact_import.delimiter)


def needs_lines(contact_import: ContactImport) -> bool:
    """Whether the upload must be written anew before it can be read from any place on."""
    return contact_import.format == ContactImport.Format.XLSX or contact_import.encoding == UTF_16


def lines_store(contact_import: ContactImport) -> tuple[str, int]:
    """Write the upload's rows as lines of UTF-8; returns (name in the storage, bytes). Raises `BadFile`."""
    with upload_open(contact_import.path) as source, TemporaryFile() as target:
        if contact_import.format == ContactImport.Format.XLSX:
            sheet_to_lines(source, target)
        else:
            text_to_lines(source, target, encoding=contact_import.encoding)
        size = target.tell()
        return upload_store(target), size


def records_open(contact_import: ContactImport, source: BinaryIO | IO[bytes]) -> RecordReader:
    """The records from the import's place on; at the beginning, those behind the header."""
    encoding = UTF_8 if contact_import.rows_path else contact_import.encoding
    records = RecordReader(
        source,
        encoding=encoding,
        delimiter=contact_import.delimiter,
        offset=contact_import.cursor,
        row=contact_import.position,
    )
    if contact_import.position == 0:
        _header_skip(records, contact_import)
    return records


def _header_skip(records: RecordReader, contact_import: ContactImport) -> None:
    """Go behind a declared separator and the header, the first row with anything in it."""
    before = (records.offset, records.row)
    for record in records:
        if is_declaration(record.cells, contact_import.delimiter):
            before = (records.offset, records.row)
            continue
        if any(record.cells):
            break
    if not contact_import.has_header:
        records.restart(*before)


@contextmanager
def _as_lines(source: BinaryIO | IO[bytes], shape: Shape) -> Iterator[BinaryIO | IO[bytes]]:
    """The source itself, or its beginning in UTF-8."""
    if shape.encoding != UTF_16:
        yield source
        return
    with TemporaryFile() as target:
        source.seek(0)
        decoder = codecs.getincrementaldecoder(UTF_16)("replace")
        target.write(decoder.decode(source.read(SAMPLE_BYTES)).encode())
        yield target


def _line_encoding(shape: Shape) -> str:
    return UTF_8 if shape.encoding == UTF_16 else shape.encoding
