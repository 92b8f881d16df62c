"""Super-admins: what is due, and what broke."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import BigTableAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_sites import public_site
from tenants.models import AgendaItem


class StateFilter(admin.SimpleListFilter):
    """Late, failing or taken."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("late", _("Late by more than a minute")), ("failing", _("Failing")), ("taken", _("Being worked on"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AgendaItem]) -> QuerySet[AgendaItem]:
        now = timezone.now()
        free = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
        if self.value() == "late":
            return queryset.filter(free, due_at__lt=now - timedelta(minutes=1))
        if self.value() == "failing":
            return queryset.exclude(last_error="")
        if self.value() == "taken":
            return queryset.filter(leased_until__gte=now)
        return queryset


@admin.register(AgendaItem, site=public_site)
class AgendaItemAdmin(ReadOnlyAdmin[AgendaItem], BigTableAdmin[AgendaItem]):
    list_display = ("kind", "schema", "key", "due_at", "state_label", "attempts", "error_head")
    list_filter = (StateFilter,)
    search_fields = ("schema",)
    search_help_text = gettext_lazy("Schema, exactly")
    fields = ("kind", "schema", "key", "due_at", "lease_owner", "leased_until", "fence", "attempts", "last_error")
    actions = ("make_due",)
    empty_title = gettext_lazy("Nothing is planned")
    empty_text = gettext_lazy("Scheduled messages, retries, sweeps and purges wait here for their time.")

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[AgendaItem], term: str) -> QuerySet[AgendaItem]:
        return queryset.filter(schema=term)

    @display(
        description=gettext_lazy("state"),
        label={"late": "danger", "taken": "info", "waiting": "default", "idle": "default"},
    )
    def state_label(self, obj: AgendaItem) -> tuple[str, str]:
        now = timezone.now()
        if obj.leased_until and obj.leased_until >= now:
            return "taken", _("working")
        if obj.due_at is None:
            return "idle", _("nothing due")
        return ("late", _("late")) if obj.due_at < now - timedelta(minutes=1) else ("waiting", _("waiting"))

    @display(description=gettext_lazy("last error"))
    def error_head(self, obj: AgendaItem) -> str:
        return obj.last_error[:120]

    def has_make_due_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    @action(description=gettext_lazy("Make due now"), permissions=["make_due"])
    def make_due(self, request: HttpRequest, queryset: QuerySet[AgendaItem]) -> None:
        """Harmless to repeat: an item that is being worked on keeps its lease."""
        count = queryset.filter(due_at__isnull=False).update(due_at=timezone.now())
        messages.success(request, _("%(count)s made due; the next tick takes them.") % {"count": count})
