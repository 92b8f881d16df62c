"""How long uploaded files of contacts and their lists of mistakes are kept (see `settings.RETENTION_DAYS`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contacts.imports.uploads import upload_remove
from contacts.models import ContactImport
from tenants.services.retention_rules import Position, Step, retention_register

# Each has two files in the storage and maybe a long list of mistakes.
BATCH: Final = 20


@dataclass(frozen=True)
class ImportsRule:
    """Imports with their files; the contacts stay, and so does the entry in the audit log."""

    kind: str
    label: str | Promise
    text: str | Promise
    order: int
    floor_days: int = 1
    is_public: bool = False
    table: str = ContactImport._meta.db_table

    def step(self, *, before: datetime, position: Position, limit: int = BATCH) -> Step:
        rows = list(self._old(before)[: min(limit, BATCH)])
        for row in rows:
            upload_remove(row.path)
            upload_remove(row.rows_path)
        ContactImport.objects.filter(pk__in=[row.pk for row in rows]).delete()
        return Step(len(rows), {}, len(rows) < min(limit, BATCH))

    def ripe(self, *, before: datetime, position: Position, most: int) -> int:
        return len(self._old(before).values_list("pk")[:most])

    def oldest(self, *, position: Position) -> datetime | None:
        found: datetime | None = ContactImport.objects.order_by("id").values_list("created_at", flat=True).first()
        return found

    @staticmethod
    def _old(before: datetime) -> QuerySet[ContactImport]:
        running = ContactImport.Status.RUNNING
        return ContactImport.objects.filter(created_at__lt=before).exclude(status=running).order_by("id")


retention_register(
    ImportsRule(
        kind="imports",
        label=_("files of contacts"),
        text=_("Uploaded files and the lists of rows with mistakes. The contacts stay."),
        order=45,
    )
)
