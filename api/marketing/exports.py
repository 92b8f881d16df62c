"""The message history as a file: CSV and JSON as they are read, XLSX through a temporary file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import orjson
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from api.bodies import BodyInvalid, FieldProblem
from api.marketing.outputs.messages import MessageRow
from api.marketing.views.message_rows import message_rows
from config.spreadsheets import SHEET_ROWS, csv_lines, sheet_file
from messaging.services.sent_history import BATCH, HistoryFilter, sent_messages, sent_stream
from tenants.connection import connection
from tenants.services.keys import OrganizationSnapshot

_COLUMNS: Final = tuple(field.name for field in fields(MessageRow) if field.name != "uuid")
_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_PIECE: Final = 64 * 1024


def export_response(form: str, chosen: HistoryFilter, *, organization: OrganizationSnapshot) -> StreamingHttpResponse:
    """The file as a streamed answer. `form`: csv, json or xlsx. Raises `BodyInvalid` when a sheet cannot hold it."""
    if form == "xlsx" and sent_messages(chosen)[SHEET_ROWS - 1 : SHEET_ROWS].exists():
        text = _("A sheet holds %(rows)s messages: narrow the dates, or take csv.") % {"rows": SHEET_ROWS - 1}
        raise BodyInvalid([FieldProblem("format", "too_many_rows", text)])
    body = {"csv": _csv, "json": _json, "xlsx": _xlsx}[form](_rows(chosen, organization))
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


def _table(rows: Iterable[MessageRow]) -> Iterator[list[Any]]:
    return ([_cell(getattr(row, name)) for name in _COLUMNS] for row in rows)


def _cell(value: Any) -> Any:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


def _csv(rows: Iterator[MessageRow]) -> Iterator[bytes]:
    for batch in _batches(csv_lines(_COLUMNS, _table(rows))):
        yield "".join(batch).encode()


def _json(rows: Iterator[MessageRow]) -> Iterator[bytes]:
    yield b'{"data":['
    separator = b""
    for batch in _batches(rows):
        yield separator + orjson.dumps(batch, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)[1:-1]
        separator = b","
    yield b"]}"


def _xlsx(rows: Iterator[MessageRow]) -> Iterator[bytes]:
    with sheet_file(_COLUMNS, _table(rows), title="messages") as file:
        while piece := file.read(_PIECE):
            yield piece
