"""Files in the storage `media`: checked by size, type and hash on the way in, removed for good on the way out."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.utils import timezone
from django.utils.translation import gettext as _

from config.egress import fetch
from messaging.drivers.base import Driver, MediaLimit
from messaging.media.references import file_places
from messaging.media.sniffing import HEAD_BYTES, bare_type, looks_like, sniff
from messaging.models import MediaFile
from tenants.connection import connection
from tenants.errors import InvalidInput
from tenants.models import Organization

FETCH_SECONDS: Final = 30.0
_CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """A file that is not taken: `reason` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file turned out to be. `sha256` in hex."""

    mime_type: str
    size: int
    sha256: str


def media_storage() -> Storage:
    """The storage of media: the local disk, or an S3-compatible service (see `MEDIA_S3_BUCKET`)."""
    return storages["media"]


def file_check(source: BinaryIO | IO[bytes], *, declared: str, limit: MediaLimit, sha256: str = "") -> Checked:
    """Read `source` once: size, hash and true type. Raises `Refused`. It is at its beginning before and afterwards."""
    declared = bare_type(declared)
    digest, size, head = hashlib.sha256(), 0, b""
    while chunk := source.read(_CHUNK):
        head = head or chunk[:HEAD_BYTES]
        digest.update(chunk)
        size += len(chunk)
    source.seek(0)
    if size == 0:
        raise Refused(_("The file is empty."))
    if size > limit.max_bytes:
        raise Refused(
            _("The file has %(size)s bytes, at most %(most)s are allowed.") % {"size": size, "most": limit.max_bytes}
        )
    found = sniff(head)
    kind = declared or found
    if kind not in limit.types:
        raise Refused(_("Files of type %(kind)s are not taken here.") % {"kind": kind[:80] or _("unknown")})
    if not looks_like(kind, found):
        raise Refused(
            _("The file says that it is %(kind)s and looks like %(found)s.")
            % {"kind": kind, "found": found or _("something unknown")}
        )
    if sha256 and digest.hexdigest() != sha256:
        raise Refused(_("The file is not the one that was announced: its hash differs."))
    return Checked(kind, size, digest.hexdigest())


def file_store(source: BinaryIO | IO[bytes], *, file_uuid: UUID) -> str:
    """Write a checked file; returns its name: the organisation's folder, the month, the uuid. Safe to repeat."""
    organization = Organization.objects.only("uuid").get(schema_name=connection.schema_name)
    name = f"{organization.uuid}/{timezone.now():%Y%m}/{file_uuid}"
    storage = media_storage()
    if storage.exists(name):
        storage.delete(name)
    return storage.save(name, File(source))


def file_create(
    *, source: BinaryIO | IO[bytes], kind: str, declared: str, filename: str, limits: Mapping[str, MediaLimit]
) -> MediaFile:
    """Keep an uploaded file, to be sent as `{"file": uuid}`. Raises `InvalidInput` for what the limits do not allow."""
    limit = limits.get(kind)
    if limit is None:
        raise _no_such_type(kind)
    try:
        checked = file_check(source, declared=declared, limit=limit)
    except Refused as refusal:
        raise InvalidInput("media_refused", refusal.reason, {"file": refusal.reason}) from refusal
    row = MediaFile(kind=kind, filename=filename_clean(filename), state=MediaFile.State.STORED)
    row.mime_type, row.size, row.sha256 = checked.mime_type, checked.size, checked.sha256
    row.path = file_store(source, file_uuid=row.uuid)
    row.stored_at = timezone.now()
    row.save(force_insert=True)
    return row


def _no_such_type(kind: str) -> InvalidInput:
    text = _("There are no files of type %(kind)s here.") % {"kind": kind}
    return InvalidInput("media_type", text, {"type": _("has no file")})


def file_from_link(*, url: str, kind: str, limits: Mapping[str, MediaLimit]) -> MediaFile:
    """Keep the file behind a user's link. Raises `UrlRefused` and `FetchFailed` (`config.egress`), `InvalidInput`.

    HTTP and storage: not inside a transaction.
    """
    limit = limits.get(kind)
    if limit is None:
        raise _no_such_type(kind)
    found = fetch(url, max_bytes=limit.max_bytes, allowed_types=limit.types, timeout=FETCH_SECONDS)
    with TemporaryFile() as source:
        source.write(found.content)
        source.seek(0)
        return file_create(
            source=source, kind=kind, declared=found.content_type, filename=filename_of(url), limits=limits
        )


def files_remove(*, message_ids: list[int], reason: str) -> int:
    """Remove the files of messages for good, such as those that their author took back. Returns how many."""
    rows = list(MediaFile.objects.filter(message_id__in=message_ids).exclude(state=MediaFile.State.REMOVED))
    for row in rows:
        file_remove(row, reason=reason)
    return len(rows)


def file_remove(row: MediaFile, *, reason: str) -> None:
    """The content goes first: a crash in between leaves a row that is removed again, never a file without a row."""
    if row.path:
        media_storage().delete(row.path)
    MediaFile.objects.filter(pk=row.pk).update(
        state=MediaFile.State.REMOVED, reason=reason[:300], path="", filename="", source_url="", provider_media_id=""
    )


def inbound_limits(limits: Mapping[str, MediaLimit]) -> dict[str, MediaLimit]:
    """A driver's limits with the further types of documents that people may send us (`MEDIA_DOCUMENT_TYPES`)."""
    known = dict(limits)
    document = known.get("document")
    if document is not None:
        known["document"] = MediaLimit(document.max_bytes, document.types | set(settings.MEDIA_DOCUMENT_TYPES))
    return known


def filename_of(url: str) -> str:
    """The last part of the path."""
    return filename_clean(posixpath.basename(unquote(urlsplit(url).path)))


def filename_clean(name: str) -> str:
    """A file name without what file names cannot have."""
    return re.sub(r"[\x00-\x1f\x7f/\\\"<>|:*?]", "_", name)[:120]


def files_guard(*, driver: Driver, content: Mapping[str, Any]) -> None:
    """Refuse content that names a file which is not stored here or which the channel's provider does not take.

    Raises `InvalidInput` file_not_found or file_not_allowed. Content without files costs no query.
    """
    for name, path in {name: path for path, name in file_places(content)}.items():
        file = file_by_uuid(file_uuid=name)
        if file is None:
            raise InvalidInput("file_not_found", _("There is no such file."), {path: _("does not exist")})
        limit = driver.media_limits.get(file.kind)
        if limit is None or file.mime_type not in limit.types or (file.size or 0) > limit.max_bytes:
            raise InvalidInput(
                "file_not_allowed", _("The channel does not take this file."), {path: _("is not possible")}
            )


def file_by_uuid(*, file_uuid: Any) -> MediaFile | None:
    """The stored file with this uuid in the current schema, or None."""
    try:
        wanted = UUID(str(file_uuid))
    except ValueError:
        return None
    return MediaFile.objects.filter(uuid=wanted, state=MediaFile.State.STORED).first()
