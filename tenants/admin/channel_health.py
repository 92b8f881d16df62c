"""Super-admins: the channels of all organisations, and those that need somebody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import BigTableAdmin, ReadOnlyAdmin
from config.admin_decorators import display
from config.admin_sites import public_site
from tenants.models import ChannelHealth

_OLD = timedelta(minutes=5)


class TroubleFilter(admin.SimpleListFilter):
    """What is wrong; each has a partial index."""

    title = gettext_lazy("trouble")
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("paused", _("Paused")),
            ("old", _("Something waits for more than 5 minutes")),
            ("queued", _("More than 1,000 wait")),
            ("doubt", _("Messages in doubt")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ChannelHealth]) -> QuerySet[ChannelHealth]:
        conditions = {
            "paused": Q(status="paused"),
            "old": Q(queued__gt=0, oldest_at__lt=timezone.now() - _OLD),
            "queued": Q(queued__gt=1_000),
            "doubt": Q(in_doubt__gt=0),
        }
        wanted = conditions.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


@admin.register(ChannelHealth, site=public_site)
class ChannelHealthAdmin(ReadOnlyAdmin[ChannelHealth], BigTableAdmin[ChannelHealth]):
    list_display = (
        "organization",
        "name",
        "state",
        "why",
        "queued",
        "oldest",
        "in_doubt",
        "rate_text",
        "measured_at",
    )
    list_filter = (TroubleFilter,)
    list_select_related = ("organization",)
    search_fields = ("organization__slug",)
    search_help_text = gettext_lazy("Short name of the organisation, exactly")
    fields = (
        "organization",
        "name",
        "channel_id",
        "state",
        "why",
        "since",
        "queued",
        "oldest",
        "scheduled",
        "in_doubt",
        "rate_text",
        "sent_total",
        "outcome",
        "measured_at",
    )
    empty_title = gettext_lazy("No channel")
    empty_text = gettext_lazy("Nobody has connected a channel yet, or none has the trouble that you chose.")

    def search_indexed(
        self, request: HttpRequest, queryset: QuerySet[ChannelHealth], term: str
    ) -> QuerySet[ChannelHealth]:
        return queryset.filter(organization__slug=term)

    @display(
        description=gettext_lazy("state"),
        label={"connected": "success", "paused": "danger", "pending": "warning", "disconnected": "default"},
    )
    def state(self, obj: ChannelHealth) -> tuple[str, str]:
        texts = {
            "connected": _("Connected"),
            "paused": _("Paused"),
            "pending": _("Set-up not finished"),
            "disconnected": _("Disconnected"),
        }
        return obj.status, texts.get(obj.status, obj.status)

    @display(description=gettext_lazy("why"))
    def why(self, obj: ChannelHealth) -> str:
        if obj.outcome == "capped" and obj.queued:
            return _("Daily cap reached; goes on at 00:00 UTC.")
        return obj.reason

    @display(description=gettext_lazy("oldest waits for"))
    def oldest(self, obj: ChannelHealth) -> str:
        return timesince(obj.oldest_at) if obj.queued and obj.oldest_at else "–"

    @display(description=gettext_lazy("per minute"))
    def rate_text(self, obj: ChannelHealth) -> str:
        fresh = obj.measured_at > timezone.now() - timedelta(seconds=30)
        return f"{obj.rate:,.0f}" if fresh else "–"
