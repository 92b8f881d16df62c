"""The message history as a file: CSV and JSON as they are read, XLSX through a temporary file."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import orjson
from django.http import StreamingHttpResponse
from django.utils import timezone
from openpyxl import Workbook

from api.marketing.outputs import MessageRow
from api.marketing.views.message_rows import message_rows
from messaging.services.sent_history import BATCH, HistoryFilter, sent_stream
from tenants.connection import connection
from tenants.services.keys import OrganizationSnapshot

_COLUMNS: Final = tuple(field.name for field in fields(MessageRow) if field.name != "uuid")
_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# Rows of a sheet (Excel's limit), without the headings.
_SHEET_ROWS: Final = 1_048_575
# What spreadsheets take for the beginning of a formula (OWASP, "CSV injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_PIECE: Final = 64 * 1024


def export_response(form: str, chosen: HistoryFilter, *, organization: OrganizationSnapshot) -> StreamingHttpResponse:
    """The file as a streamed answer. `form`: csv, json or xlsx."""
    rows = _rows(chosen, organization)
    body = {"csv": _csv, "json": _json, "xlsx": _xlsx}[form](rows)
    response = StreamingHttpResponse(body, content_type=_TYPES[form])
    name = f"messages-{timezone.now():%Y%m%d-%H%M%S}.{form}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _rows(chosen: HistoryFilter, organization: OrganizationSnapshot) -> Iterator[MessageRow]:
    # The answer is read after the view has returned: nothing may be left to what the connection was then.
    connection.set_tenant(organization)
    for batch in _batches(sent_stream(chosen)):
        yield from message_rows(batch)


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(rows)
    while batch := list(islice(source, BATCH)):
        yield batch


def _cells(row: MessageRow) -> list[Any]:
    return [_cell(getattr(row, name)) for name in _COLUMNS]


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, str):
        is_phone = value.startswith("+") and value[1:].isdigit()
        return f"'{value}" if value.startswith(_FORMULA) and not is_phone else value
    return "" if value is None else value


class _Echo:
    """A file for the CSV writer that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _csv(rows: Iterator[MessageRow]) -> Iterator[bytes]:
    writer = csv.writer(_Echo())
    # Excel reads UTF-8 only with a mark at the beginning.
    yield b"\xef\xbb\xbf" + writer.writerow(_COLUMNS).encode()
    for batch in _batches(rows):
        yield "".join(writer.writerow(_cells(row)) for row in batch).encode()


def _json(rows: Iterator[MessageRow]) -> Iterator[bytes]:
    yield b'{"data":['
    separator = b""
    for batch in _batches(rows):
        yield separator + orjson.dumps(batch, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)[1:-1]
        separator = b","
    yield b"]}"


def _xlsx(rows: Iterator[MessageRow]) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("messages")
        sheet.append(list(_COLUMNS))
        for place, row in enumerate(rows, start=1):
            if place % _SHEET_ROWS == 0:
                sheet = book.create_sheet(f"messages {place // _SHEET_ROWS + 1}")
                sheet.append(list(_COLUMNS))
            sheet.append(_cells(row))
        book.save(file)
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece
