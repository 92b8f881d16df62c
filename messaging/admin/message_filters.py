"""Filters of the message list: only what an index answers, or what is cut to the newest messages."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from messaging.models import Channel, Message

Status = Message.Status
# These have partial indexes. The others are looked for among the newest messages: a rare status at the far end of ten
# million rows would otherwise cost a scan of all of them.
INDEXED: Final = frozenset({Status.QUEUED, Status.SCHEDULED, Status.PROCESSING, Status.IN_DOUBT, Status.FAILED})
RECENT: Final = 200_000
_CHANNELS_SHOWN: Final = 200


class StatusFilter(admin.SimpleListFilter):
    """By status; `window_note` says when only the newest messages were looked at."""

    title = gettext_lazy("status")
    parameter_name = "status"
    window_note = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Status.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        wanted = self.value()
        if wanted not in Status.values:
            return queryset
        found = queryset.filter(status=wanted)
        if wanted in INDEXED:
            return found
        newest = Message.objects.order_by("-id").values_list("id", flat=True).first() or 0
        if newest <= RECENT:
            return found
        self.window_note = _("among the newest %(count)s") % {"count": number_format(RECENT, force_grouping=True)}
        return found.filter(pk__gt=newest - RECENT)


class ChannelFilter(admin.SimpleListFilter):
    """By channel."""

    title = gettext_lazy("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        rows = Channel.objects.order_by("name").values_list("id", "name")[:_CHANNELS_SHOWN]
        return [(str(pk), name) for pk, name in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        wanted = self.value()
        if wanted is None:
            return queryset
        return queryset.filter(channel_id=int(wanted)) if wanted.isascii() and wanted.isdigit() else queryset.none()
