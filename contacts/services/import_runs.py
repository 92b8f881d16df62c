"""Running imports: the agenda works on each in slices, so that a crash, a deployment or a full queue never loses a row.

One item of the agenda is one import, leased by one worker; a worker whose lease was lost finds the import's place moved
and stores nothing (`contacts.imports.loading.chunk_load`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Lower
from django.utils import translation
from django.utils.translation import gettext as _

from audit.actor import Actor
from audit.services.recording import Change, changes_record
from config.spreadsheets import csv_lines
from contacts.imports.chunks import ChunkReader, read_ahead
from contacts.imports.files import BadFile
from contacts.imports.loading import chunk_load
from contacts.imports.rows import RowReader
from contacts.imports.uploads import lines_store, needs_lines, records_open, upload_open, upload_remove
from contacts.models import ContactImport, Group, ImportProblem
from contacts.services.contacts import ContactOwner
from contacts.services.custom_fields import field_rules
from tenants.agenda import agenda_drop, agenda_handler
from tenants.connection import connection
from tenants.errors import LimitReached
from tenants.models import Organization

log = structlog.get_logger(__name__)

IMPORT_KIND: Final = "contact_import"
# A worker goes on with other items of the agenda after this long.
SLICE_SECONDS: Final = 10.0
_WHILE_SUSPENDED: Final = timedelta(minutes=1)
_PROBLEMS_BATCH: Final = 5_000


@agenda_handler(IMPORT_KIND)
def import_work(schema: str, key: str) -> datetime | None:
    """One slice of an import; returns when it wants to go on."""
    organization = Organization.objects.filter(schema_name=schema).first()
    if organization is None:
        return None
    if organization.status != Organization.Status.ACTIVE:
        return datetime.now(UTC) + _WHILE_SUSPENDED
    is_done = _slice(organization, int(key), SLICE_SECONDS)
    return None if is_done else datetime.now(UTC)


def import_run(*, organization: ContactOwner, import_id: int) -> None:
    """Do all of a running import here and now."""
    while not _slice(organization, import_id, SLICE_SECONDS):
        pass
    if ContactImport.objects.filter(pk=import_id, status=ContactImport.Status.RUNNING).exists():
        # A worker was quicker and goes on.
        return
    agenda_drop(schema=connection.schema_name, kind=IMPORT_KIND, key=str(import_id))


def import_end(*, contact_import: ContactImport, status: str, reason: str) -> bool:
    """End a running import: one entry in the audit log with its numbers. False when it does not run."""
    with transaction.atomic():
        running = ContactImport.objects.filter(pk=contact_import.pk, status=ContactImport.Status.RUNNING)
        if not running.update(status=status, reason=reason[:300], finished_at=datetime.now(UTC)):
            return False
        contact_import.refresh_from_db()
        new = {"status": status, "reason": reason, "duplicates": contact_import.duplicates, **contact_import.counts}
        change = Change(
            "contacts.imported", contact_import._meta.label_lower, contact_import.pk, str(contact_import), None, new
        )
        changes_record(changes=[change], actor=Actor(**contact_import.actor))
    if contact_import.rows_path:
        upload_remove(contact_import.rows_path)
        ContactImport.objects.filter(pk=contact_import.pk).update(rows_path="")
    return True


def problems_csv(*, contact_import: ContactImport) -> Iterator[str]:
    """The rows that were not taken as lines of CSV: row, column, reason, then the row as it was in the file.

    Corrected, the file can be imported again as it is. No cell is taken for a formula.
    """
    return csv_lines(["row", "column", "reason", *contact_import.columns], _problem_rows(contact_import.pk))


def _problem_rows(import_id: int) -> Iterator[list[Any]]:
    last = 0
    while True:
        batch = list(
            ImportProblem.objects.filter(contact_import_id=import_id, row__gt=last).order_by("row")[:_PROBLEMS_BATCH]
        )
        for problem in batch:
            yield [problem.row, problem.column, problem.reason, *problem.cells]
        if len(batch) < _PROBLEMS_BATCH:
            return
        last = batch[-1].row


def _slice(organization: ContactOwner, import_id: int, seconds: float) -> bool:
    """Chunks until the time is over; whether the import has ended. Reasons are in the language of who started it."""
    contact_import = ContactImport.objects.filter(pk=import_id).first()
    if contact_import is None or contact_import.status != ContactImport.Status.RUNNING:
        return True
    with translation.override(contact_import.language or settings.LANGUAGE_CODE):
        return _slice_run(organization, contact_import, seconds)


def _slice_run(organization: ContactOwner, contact_import: ContactImport, seconds: float) -> bool:
    try:
        if needs_lines(contact_import) and not contact_import.rows_path:
            _lines_make(contact_import)
        return _chunks(organization, contact_import, seconds)
    except BadFile as error:
        import_end(
            contact_import=contact_import,
            status=ContactImport.Status.FAILED,
            reason=_("The file %(problem)s.") % {"problem": error},
        )
    except FileNotFoundError:
        log.warning("import_file_gone", contact_import=contact_import.pk)
        import_end(contact_import=contact_import, status=ContactImport.Status.FAILED, reason=_("The file is gone."))
    except LimitReached as error:
        import_end(contact_import=contact_import, status=ContactImport.Status.FAILED, reason=error.message)
    return True


def _lines_make(contact_import: ContactImport) -> None:
    path, size = lines_store(contact_import)
    running = ContactImport.objects.filter(pk=contact_import.pk, status=ContactImport.Status.RUNNING, rows_path="")
    if not running.update(rows_path=path, rows_size=size):
        upload_remove(path)
    contact_import.refresh_from_db()


def _chunks(organization: ContactOwner, contact_import: ContactImport, seconds: float) -> bool:
    end = time.monotonic() + seconds
    rows = RowReader(
        columns=contact_import.columns,
        mapping=contact_import.mapping,
        country=contact_import.country,
        rules=field_rules(),
    )
    groups = set(Group.objects.values_list(Lower("name"), flat=True))
    with (
        upload_open(contact_import.rows_path or contact_import.path) as source,
        read_ahead(ChunkReader(records_open(contact_import, source), rows, groups=groups)) as chunks,
    ):
        for chunk in chunks:
            if not chunk_load(organization=organization, contact_import=contact_import, chunk=chunk):
                # Cancelled, or another worker is ahead: whoever holds the import now goes on.
                return True
            if time.monotonic() > end:
                return False
    import_end(contact_import=contact_import, status=ContactImport.Status.COMPLETED, reason="")
    return True
