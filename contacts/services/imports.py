"""Imports: a file is uploaded, its columns are named, then it runs by itself and can be watched and cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import IO, BinaryIO, Final

import phonenumbers
from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from audit.actor import actor_current
from contacts.imports.columns import CUSTOM, HEADER_LENGTH, MAX_COLUMNS, mapping_clean, mapping_guess
from contacts.imports.files import DELIMITERS, ENCODINGS, BadFile
from contacts.imports.uploads import (
    Shape,
    needs_lines,
    records_open,
    sample_read,
    shape_detect,
    shape_of,
    upload_open,
    upload_remove,
    upload_store,
)
from contacts.models import ContactImport, Group, ImportMapping
from contacts.phones import BadPhone, phone_normalise
from contacts.services.contacts import ContactOwner
from contacts.services.custom_fields import field_rules, fields_ensure
from contacts.services.import_runs import IMPORT_KIND, import_end, import_run
from messaging.media.files import filename_clean
from tenants.agenda import agenda_put
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput, NotFound

# Files of at most so many rows are imported while the caller waits.
AT_ONCE_ROWS: Final = 1_000
_AT_ONCE_GRACE: Final = timedelta(minutes=2)
_REMEMBERED_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a file below the names of its columns."""

    columns: list[str]
    rows: list[list[str]]


def import_create(
    *,
    organization: ContactOwner,
    source: BinaryIO | IO[bytes],
    filename: str,
    encoding: str = "",
    delimiter: str = "",
) -> ContactImport:
    """Keep an upload (CSV or XLSX) and look at it: columns are guessed, nothing is imported yet.

    Encoding and separator are detected unless given. Raises `InvalidInput` naming file, encoding or delimiter.
    """
    _choices_check(encoding, delimiter)
    source.seek(0, 2)
    size = source.tell()
    if size > settings.CONTACT_IMPORT_MAX_BYTES:
        raise _bad_file(
            _("has %(size)s bytes, at most %(most)s are allowed")
            % {"size": size, "most": settings.CONTACT_IMPORT_MAX_BYTES}
        )
    contact_import = ContactImport(
        filename=filename_clean(filename) or "contacts", size=size, country=organization.default_country
    )
    try:
        shape = shape_detect(source, encoding=encoding, delimiter=delimiter)
        _look(contact_import, source, shape, None)
    except BadFile as error:
        raise _bad_file(str(error)) from error
    contact_import.actor = asdict(actor_current())
    contact_import.path = upload_store(source)
    contact_import.save(force_insert=True)
    return contact_import


def import_reread(
    *, import_id: int, encoding: str = "", delimiter: str = "", has_header: bool | None = None
) -> ContactImport:
    """Look at an uploaded file again with another encoding, separator or header; empty values are detected.

    Raises `NotFound`, `Conflict` import_started, `InvalidInput` naming file, encoding or delimiter.
    """
    _choices_check(encoding, delimiter)
    contact_import = _uploaded(import_id)
    try:
        with upload_open(contact_import.path) as source:
            shape = shape_detect(source, encoding=encoding, delimiter=delimiter)
            _look(contact_import, source, shape, has_header)
    except BadFile as error:
        raise _bad_file(str(error)) from error
    fields = ("format", "encoding", "delimiter", "has_header", "columns", "mapping")
    changed = ContactImport.objects.filter(pk=import_id, status=ContactImport.Status.UPLOADED)
    if not changed.update(**{name: getattr(contact_import, name) for name in fields}):
        raise _started()
    return contact_import


def import_sample(*, contact_import: ContactImport) -> Sample:
    """The first ten rows of the upload, as it is read now. Raises `InvalidInput` naming file."""
    try:
        with upload_open(contact_import.path) as source:
            rows = sample_read(source, shape_of(contact_import))
    except BadFile as error:
        raise _bad_file(str(error)) from error
    return Sample(list(contact_import.columns), rows[1:] if contact_import.has_header else rows[:-1] or rows)


def import_start(
    *,
    organization: ContactOwner,
    import_id: int,
    mapping: Sequence[str] | None = None,
    duplicates: str = ContactImport.Duplicates.UPDATE,
    country: str = "",
    group_id: int | None = None,
    remember_as: str = "",
) -> ContactImport:
    """Have an uploaded file imported by the workers; how far it is stands in the row.

    `mapping`: for each column what it holds (`contacts.imports.columns`), default: as guessed; custom fields that are
    new become text fields. `country` of numbers without country code, default: the organisation's. `group_id`:
    everybody in the file joins it. `remember_as` keeps the mapping for files with the same columns.
    Raises `NotFound`, `Conflict` import_started, `InvalidInput` naming mapping, duplicates, country or group.
    """
    return _start(organization, _uploaded(import_id), mapping, duplicates, country, group_id, remember_as, timedelta(0))


def _start(
    organization: ContactOwner,
    contact_import: ContactImport,
    mapping: Sequence[str] | None,
    duplicates: str,
    country: str,
    group_id: int | None,
    remember_as: str,
    grace: timedelta,
) -> ContactImport:
    """`grace`: how long the workers leave the import to the caller."""
    chosen = mapping_clean(contact_import.mapping if mapping is None else mapping, headers=contact_import.columns)
    values = {
        "mapping": chosen,
        "duplicates": _duplicates(duplicates),
        "country": _country(country or organization.default_country),
        "group_id": _group(group_id),
        "status": ContactImport.Status.RUNNING,
        "started_at": datetime.now(UTC),
        "rows_size": contact_import.size,
        "actor": asdict(actor_current()),
        "language": get_language() or "",
    }
    with transaction.atomic():
        uploaded = ContactImport.objects.filter(pk=contact_import.pk, status=ContactImport.Status.UPLOADED)
        if not uploaded.update(**values):
            raise _started()
        fields_ensure(keys=[target.removeprefix(CUSTOM) for target in chosen if target.startswith(CUSTOM)])
        if remember_as.strip():
            _remember(remember_as, contact_import.columns, chosen)
        due_at = datetime.now(UTC) + grace
        agenda_put(schema=connection.schema_name, kind=IMPORT_KIND, key=str(contact_import.pk), due_at=due_at)
    contact_import.refresh_from_db()
    return contact_import


def contacts_import(
    *,
    organization: ContactOwner,
    source: BinaryIO | IO[bytes],
    filename: str,
    duplicates: str = ContactImport.Duplicates.UPDATE,
    encoding: str = "",
    delimiter: str = "",
    mapping: Sequence[str] | None = None,
    country: str = "",
    group_id: int | None = None,
) -> ContactImport:
    """Upload and import in one call, for APIs: the columns by their names unless `mapping` says otherwise.

    A file of at most `AT_ONCE_ROWS` rows is done when this returns (status completed, `counts`); a larger one runs in
    the workers (status running). Call it outside of transactions. Raises as `import_create` and `import_start`; then
    nothing is kept.
    """
    contact_import = import_create(
        organization=organization, source=source, filename=filename, encoding=encoding, delimiter=delimiter
    )
    is_small = _is_small(contact_import)
    # The workers take over what a crash of this process leaves; the rows that are done stay done.
    grace = _AT_ONCE_GRACE if is_small else timedelta(0)
    try:
        contact_import = _start(
            organization, contact_import, mapping, duplicates, country, group_id, remember_as="", grace=grace
        )
    except (InvalidInput, NotFound):
        import_remove(import_id=contact_import.pk)
        raise
    if is_small:
        import_run(organization=organization, import_id=contact_import.pk)
        contact_import.refresh_from_db()
    return contact_import


def import_get(*, import_id: int) -> ContactImport:
    """The import; raises `NotFound`."""
    contact_import = ContactImport.objects.select_related("group").filter(pk=import_id).first()
    if contact_import is None:
        raise NotFound("import_not_found", _("There is no such import."))
    return contact_import


def import_cancel(*, import_id: int) -> ContactImport:
    """Stop a running import behind the chunk that is being stored; what is imported stays. Raises `NotFound`.

    `Conflict` import_ended when it has ended already.
    """
    contact_import = import_get(import_id=import_id)
    if not import_end(contact_import=contact_import, status=ContactImport.Status.CANCELLED, reason=""):
        raise Conflict("import_ended", _("The import does not run."))
    contact_import.refresh_from_db()
    return contact_import


def import_remove(*, import_id: int) -> None:
    """Remove an import that does not run, with its file and its list of mistakes; the contacts stay.

    Raises `NotFound`, `Conflict` import_running.
    """
    contact_import = import_get(import_id=import_id)
    if contact_import.status == ContactImport.Status.RUNNING:
        raise Conflict("import_running", _("The import is running: cancel it first."))
    upload_remove(contact_import.path)
    upload_remove(contact_import.rows_path)
    contact_import.delete()


def _look(contact_import: ContactImport, source: BinaryIO | IO[bytes], shape: Shape, has_header: bool | None) -> None:
    """Fill in how the file is read and what its columns are."""
    rows = sample_read(source, shape)
    if not rows:
        raise BadFile(_("has no rows"))
    width = max(len(row) for row in rows)
    if width > MAX_COLUMNS:
        raise BadFile(
            _("has %(width)s columns or more, at most %(max_columns)s are allowed")
            % {"width": width, "max_columns": MAX_COLUMNS}
        )
    if has_header is None:
        has_header = not any(_is_phone(text, contact_import.country) for text in rows[0])
    first = rows[0] if has_header else []
    columns = [
        (first[place].strip().replace("\x00", "")[:HEADER_LENGTH] if place < len(first) else "")
        or f"Column {place + 1}"
        for place in range(width)
    ]
    contact_import.format, contact_import.encoding, contact_import.delimiter = (
        shape.format,
        shape.encoding,
        shape.delimiter,
    )
    contact_import.has_header = has_header
    contact_import.columns = columns
    remembered = ImportMapping.objects.order_by("-id").values_list("targets", flat=True)[:_REMEMBERED_MOST]
    guessed = mapping_guess(columns, custom=field_rules(), remembered=remembered)
    if "phone" not in guessed:
        guessed = _phone_by_values(guessed, rows[1 if has_header else 0 :], contact_import.country)
    contact_import.mapping = guessed


def _phone_by_values(guessed: list[str], rows: list[list[str]], country: str) -> list[str]:
    """Where no name says phone: the first column without a meaning in which every value is a number."""
    for place, target in enumerate(guessed):
        values = [row[place] for row in rows if place < len(row) and row[place].strip()]
        if not target and values and all(_is_phone(text, country) for text in values):
            return [*guessed[:place], "phone", *guessed[place + 1 :]]
    return guessed


def _is_phone(text: str, country: str) -> bool:
    if sum(character.isdigit() for character in text) < 8:
        return False
    try:
        phone_normalise(text.strip(), country)
    except BadPhone:
        return False
    return True


def _is_small(contact_import: ContactImport) -> bool:
    """Whether the rows of the upload are few enough to be imported while somebody waits."""
    if needs_lines(contact_import):
        with upload_open(contact_import.path) as source:
            rows = sample_read(source, shape_of(contact_import), rows=AT_ONCE_ROWS + 2)
        return contact_import.size <= 1_000_000 and len(rows) <= AT_ONCE_ROWS + 1
    with upload_open(contact_import.path) as source:
        return len(list(islice(records_open(contact_import, source), AT_ONCE_ROWS + 1))) <= AT_ONCE_ROWS


def _uploaded(import_id: int) -> ContactImport:
    contact_import = import_get(import_id=import_id)
    if contact_import.status != ContactImport.Status.UPLOADED:
        raise _started()
    return contact_import


def _remember(name: str, columns: Sequence[str], mapping: Sequence[str]) -> None:
    name = " ".join(name.split())[:80]
    targets = {column.strip().lower(): target for column, target in zip(columns, mapping, strict=True)}
    known = ImportMapping.objects.filter(name__iexact=name)
    if not known.update(targets=targets):
        ImportMapping.objects.bulk_create([ImportMapping(name=name, targets=targets)], ignore_conflicts=True)


def _choices_check(encoding: str, delimiter: str) -> None:
    problems = {}
    if encoding and encoding not in ENCODINGS:
        problems["encoding"] = _("must be one of %(choices)s") % {"choices": ", ".join(ENCODINGS)}
    if delimiter and delimiter not in DELIMITERS:
        problems["delimiter"] = _("must be a comma, a semicolon, a tab or |")
    if problems:
        raise InvalidInput("invalid_import", _("The file cannot be read like this."), problems)


def _duplicates(value: str) -> str:
    if value not in ContactImport.Duplicates.values:
        text = _("must be one of %(choices)s") % {"choices": ", ".join(ContactImport.Duplicates.values)}
        raise InvalidInput("invalid_import", _("The import cannot be started like this."), {"duplicates": text})
    return value


def _country(value: str) -> str:
    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        text = _("must be the two letters of a country, such as BJ")
        raise InvalidInput("invalid_import", _("The import cannot be started like this."), {"country": text})
    return value.upper()


def _group(group_id: int | None) -> int | None:
    if group_id is not None and not Group.objects.filter(pk=group_id).exists():
        text = _("does not exist")
        raise InvalidInput("invalid_import", _("The import cannot be started like this."), {"group": text})
    return group_id


def _bad_file(reason: str) -> InvalidInput:
    return InvalidInput(
        "invalid_file", _("The file cannot be imported: it %(reason)s.") % {"reason": reason}, {"file": reason}
    )


def _started() -> Conflict:
    return Conflict("import_started", _("The import has been started already."))
