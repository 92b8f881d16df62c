"""Contacts as a table: read in steps by their ids, so that memory stays flat and no transaction stays open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from contacts.filters import ContactFilter, contact_ids_after
from contacts.models import Contact, CustomField

COLUMNS: Final = ("name", "email", "phone", "group", "status", "tags", "language", "timezone", "created_at")
# A workbook is finished before it is sent: larger ones are CSV.
SHEET_CONTACTS: Final = 100_000
_BATCH: Final = 2_000


def export_header() -> list[str]:
    """The names of the columns, by which an import knows them again."""
    return [*COLUMNS, *(f"custom.{key}" for key in _keys())]


def export_rows(filter: ContactFilter) -> Iterator[list[Any]]:
    """A row for each contact that matches, the oldest first; phones with +, times in ISO 8601."""
    keys = _keys()
    last_id = Contact.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    found, after = filter.contacts(), 0
    while ids := contact_ids_after(found, after=after, until=last_id, limit=_BATCH):
        contacts = Contact.objects.select_related("primary_group").filter(pk__in=ids).order_by("pk")
        for contact in contacts:
            yield _row(contact, keys)
        after = ids[-1]


def _row(contact: Contact, keys: list[str]) -> list[Any]:
    return [
        contact.name,
        contact.email,
        f"+{contact.phone}" if contact.phone else "",
        contact.primary_group.name if contact.primary_group is not None else "",
        contact.status,
        ";".join(contact.tags),
        contact.language,
        contact.timezone,
        contact.created_at.isoformat(timespec="seconds"),
        *(_text(contact.custom.get(key)) for key in keys),
    ]


def _keys() -> list[str]:
    return list(CustomField.objects.order_by("key").values_list("key", flat=True))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
