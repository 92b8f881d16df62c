"""Files that go by themselves: with their age, and with their organisation. The content goes before the row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import Promise

from messaging.media.files import media_storage
from messaging.models import MediaFile
from tenants.agenda import agenda_handler
from tenants.services.organizations import MEDIA_PURGE_KIND
from tenants.services.retention_rules import Position, Step

# Each file is a call to the storage.
BATCH: Final = 200


@dataclass(frozen=True)
class FilesRule:
    """Files of received messages, contents and rows. Files uploaded here stay until somebody removes them."""

    kind: str
    label: str | Promise
    text: str | Promise
    order: int
    floor_days: int = 7
    is_public: bool = False
    table: str = MediaFile._meta.db_table

    def step(self, *, before: datetime, position: Position, limit: int = BATCH) -> Step:
        rows = list(self._old(before, position).order_by("id")[: min(limit, BATCH)])
        for row in rows:
            if row.path:
                media_storage().delete(row.path)
        MediaFile.objects.filter(pk__in=[row.pk for row in rows]).delete()
        end = {"id": rows[-1].pk} if rows else position
        return Step(len(rows), end, len(rows) < min(limit, BATCH))

    def ripe(self, *, before: datetime, position: Position, most: int) -> int:
        return len(self._old(before, position).order_by("id").values_list("pk")[:most])

    def oldest(self, *, position: Position) -> datetime | None:
        found: datetime | None = self._after(position).order_by("id").values_list("created_at", flat=True).first()
        return found

    def _old(self, before: datetime, position: Position) -> QuerySet[MediaFile]:
        return self._after(position).filter(created_at__lt=before)

    def _after(self, position: Position) -> QuerySet[MediaFile]:
        return MediaFile.objects.filter(channel_id__isnull=False, pk__gt=_start(position))


@agenda_handler(MEDIA_PURGE_KIND)
def media_purge(schema: str, key: str) -> datetime | None:
    """Remove the folder of a purged organisation (its uuid), a bounded number of files at a time."""
    storage, left = media_storage(), BATCH
    try:
        months, _ = storage.listdir(key)
    except FileNotFoundError:
        return None
    for month in months:
        for name in storage.listdir(f"{key}/{month}")[1]:
            if not left:
                return timezone.now() + timedelta(seconds=1)
            storage.delete(f"{key}/{month}/{name}")
            left -= 1
    return None


def _start(position: Position) -> Any:
    return position.get("id", 0)
