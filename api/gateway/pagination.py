"""Pages by cursor: an opaque text that stands for the id of the last row shown."""

from __future__ import annotations

import base64
import binascii

from api.bodies import BodyInvalid, FieldProblem


def cursor_write(last_id: int) -> str:
    """The cursor after the row with this internal id."""
    return base64.urlsafe_b64encode(f"v1:{last_id}".encode()).decode().rstrip("=")


def cursor_read(cursor: str | None) -> int | None:
    """The internal id behind a cursor; None for the first page. Raises `BodyInvalid` for what is no cursor of ours."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        text = ""
    version, _, number = text.partition(":")
    if version != "v1" or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise BodyInvalid([FieldProblem("cursor", "invalid_format", "This is no cursor of this list.")])
    return int(number)
