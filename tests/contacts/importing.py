"""Files of contacts, imported at once."""

from __future__ import annotations

import io

from openpyxl import Workbook

from contacts.services.imports import contacts_import


def do_import(organization, text, *, filename="contacts.csv", **options):
    """The import of a file with this text or these bytes, done."""
    data = text if isinstance(text, bytes) else text.encode()
    return contacts_import(organization=organization, source=io.BytesIO(data), filename=filename, **options)


def counts(contact_import):
    """The numbers of an import that are not 0."""
    return {name: count for name, count in contact_import.counts.items() if count}


def reasons(contact_import):
    """(row, column, reason) of every mistake."""
    return [(row, column, reason) for row, column, reason in contact_import.problems.order_by("row").values_list(
        "row", "column", "reason")]  # fmt: skip


def workbook(rows, *more_sheets):
    """An .xlsx file of these rows, with further sheets of these names."""
    book = Workbook()
    for row in rows:
        book.active.append(row)
    for name in more_sheets:
        book.create_sheet(name).append(["not", "these"])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
