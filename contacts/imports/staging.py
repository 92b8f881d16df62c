"""The rows of a chunk in a temporary table, brought there by COPY.

A row's line is made where the row is read, in the reading thread, while the database is at work on the chunk before;
adapting value by value would cost more than all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from contacts.imports.rows import Row
from tenants.fields import uuid7

_NULL: Final = "\\N"

_TABLE: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS contacts_import_row (
    row bigint, phone varchar, uuid uuid, name varchar, email varchar, status varchar, custom jsonb, tags varchar[],
    language varchar, timezone varchar, group_id bigint,
    contact_id bigint, is_new boolean DEFAULT false, changed text[], old_group_id bigint
) ON COMMIT DROP
"""
_COPY: Final = (
    "COPY contacts_import_row (row, phone, uuid, name, email, status, custom, tags, language, timezone, group_id)"
    " FROM STDIN"
)


def stage(cursor: Any, rows: Sequence[Row], groups: Mapping[str, int]) -> None:
    """Fill the table, for this transaction; `groups`: name in lower case -> id."""
    cursor.execute(_TABLE)
    cursor.execute("TRUNCATE contacts_import_row")
    lines = [
        f"{row.line or staged(row)}\t{_NULL if row.group is None else groups[row.group.lower()]}\n" for row in rows
    ]
    with cursor.copy(_COPY) as copy:
        copy.write("".join(lines))
    # What the statements join and filter by.
    cursor.execute("ANALYZE contacts_import_row (phone, contact_id, group_id)")


def staged(row: Row) -> str:
    """The row in the text format of COPY, without its group, whose id the reading thread does not know."""
    values = (
        row.phone,
        str(uuid7()),
        row.name,
        row.email,
        row.status,
        orjson.dumps(row.custom).decode() if row.custom else None,
        _array(row.tags) if row.tags else None,
        row.language,
        row.timezone,
    )
    return f"{row.row}\t" + "\t".join([_NULL if value is None else _escaped(value) for value in values])


def _escaped(text: str) -> str:
    """Tabs and line ends cannot be in it: names are one line, and JSON has its own escapes for them."""
    return text.replace("\\", "\\\\") if "\\" in text else text


def _array(texts: Sequence[str]) -> str:
    quoted = ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]
    return "{" + ",".join(quoted) + "}"
