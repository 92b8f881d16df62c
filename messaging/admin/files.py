"""The files of messages as the admin shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from config.reasons import reason_said
from messaging.media.links import media_url
from messaging.models import MediaFile


@dataclass(frozen=True, slots=True)
class ShownFile:
    """One file: `url` is a short-lived link, empty unless it is stored; `is_picture` may be shown in place."""

    name: str
    text: str
    url: str
    is_picture: bool


def files_of(*, message_ids: Iterable[int], organization_uuid: UUID) -> dict[int, list[ShownFile]]:
    """Message id -> its files; one query."""
    shown: dict[int, list[ShownFile]] = {}
    for file in MediaFile.objects.filter(message_id__in=list(message_ids)).order_by("id"):
        assert file.message_id is not None
        shown.setdefault(file.message_id, []).append(_shown(file, organization_uuid))
    return shown


def _shown(file: MediaFile, organization_uuid: UUID) -> ShownFile:
    is_stored = file.state == MediaFile.State.STORED
    facts = [str(file.get_state_display()), reason_said(file.reason)]
    if is_stored:
        facts = [file.mime_type, filesizeformat(file.size or 0)]
    return ShownFile(
        name=file.filename or _("File (%(kind)s)") % {"kind": file.kind},
        text=" · ".join(fact for fact in facts if fact),
        url=media_url(organization_uuid=organization_uuid, file_uuid=file.uuid) if is_stored else "",
        is_picture=is_stored and file.mime_type.startswith("image/"),
    )
