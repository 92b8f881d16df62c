"""Filters of the deliveries' list: only what an index answers, or what is cut to the newest ones."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webhooks_app.models import Delivery, Endpoint

Status = Delivery.Status
RECENT: Final = 200_000
_ENDPOINTS_SHOWN: Final = 200


class StatusFilter(admin.SimpleListFilter):
    """By status; failed ones have an index, others are looked for among the newest deliveries."""

    title = gettext_lazy("status")
    parameter_name = "status"
    window_note = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Status.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        wanted = self.value()
        if wanted not in Status.values:
            return queryset
        found = queryset.filter(status=wanted)
        newest = Delivery.objects.order_by("-id").values_list("id", flat=True).first() or 0
        if wanted == Status.FAILED or newest <= RECENT:
            return found
        self.window_note = _("among the newest %(count)s") % {"count": number_format(RECENT, force_grouping=True)}
        return found.filter(pk__gt=newest - RECENT)


class EndpointFilter(admin.SimpleListFilter):
    """By webhook."""

    title = gettext_lazy("webhook")
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        rows = Endpoint.objects.filter(deleted_at__isnull=True).order_by("name").values_list("id", "name")
        return [(str(pk), name) for pk, name in rows[:_ENDPOINTS_SHOWN]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        wanted = self.value() or ""
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 18):
            return queryset
        return queryset.filter(endpoint_id=int(wanted))
