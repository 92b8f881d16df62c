"""Super-admins: what providers posted, raw, and the table that finds the channel for it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from config.admin_base import BigTableAdmin, ReadOnlyAdmin
from config.admin_decorators import display
from config.admin_sites import public_site
from tenants.models import InboundEvent, InboundRoute

_SHOWN_BYTES = 200_000


class WaitingFilter(admin.SimpleListFilter):
    """Only states that a partial index knows; "processed" is nearly everything and no use as a filter."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("Waiting or failed")), ("failed", InboundEvent.Status.FAILED.label)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboundEvent]) -> QuerySet[InboundEvent]:
        waiting = queryset.filter(status__in=["received", "failed"])
        if self.value() == "waiting":
            return waiting
        return waiting.filter(status="failed") if self.value() == "failed" else queryset


@admin.register(InboundEvent, site=public_site)
class InboundEventAdmin(ReadOnlyAdmin[InboundEvent], BigTableAdmin[InboundEvent]):
    list_display = (
        "id",
        "source",
        "status_label",
        "organization",
        "received_at",
        "processed_at",
        "attempts",
        "kept_aside",
    )
    list_filter = (WaitingFilter,)
    list_select_related = ("organization",)
    search_fields = ("id",)
    search_help_text = _("Number of the event")
    fields = (
        "source",
        "status",
        "organization",
        "received_at",
        "processed_at",
        "attempts",
        "problem_list",
        "body_text",
    )
    empty_title = _("Nothing has arrived yet")
    empty_text = _("Every signed POST of a provider is kept here as it came, with what could not be processed.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundEvent]:
        found = super().get_queryset(request)
        # Lists do not read bodies, which may be megabytes each.
        return found if request.resolver_match and "object_id" in request.resolver_match.kwargs else found.defer("body")

    def search_indexed(
        self, request: HttpRequest, queryset: QuerySet[InboundEvent], term: str
    ) -> QuerySet[InboundEvent]:
        number = term.removeprefix("#")
        return queryset.filter(pk=int(number)) if number.isascii() and number.isdigit() else queryset.none()

    @display(
        description=_("status"), label={"received": "info", "done": "success", "partial": "warning", "failed": "danger"}
    )
    def status_label(self, obj: InboundEvent) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=_("kept aside"))
    def kept_aside(self, obj: InboundEvent) -> int:
        return len(obj.problems)

    @display(description=_("kept aside"))
    def problem_list(self, obj: InboundEvent) -> str:
        rows = ((problem.get("where", ""), problem.get("reason", "")) for problem in obj.problems)
        return format_html_join("", "<div><code>{}</code> {}</div>", rows) or "–"

    @display(description=_("body"))
    def body_text(self, obj: InboundEvent) -> str:
        return format_html('<code class="gr-code">{}</code>', readable_body(bytes(obj.body)))


@admin.register(InboundRoute, site=public_site)
class InboundRouteAdmin(ReadOnlyAdmin[InboundRoute], BigTableAdmin[InboundRoute]):
    list_display = ("kind", "external_id", "organization", "channel_id")
    list_select_related = ("organization",)
    search_fields = ("external_id",)
    search_help_text = _("The provider's id, exactly")
    fields = ("kind", "external_id", "organization", "channel_id")
    empty_text = _("Routes appear when organisations connect channels.")

    def search_indexed(
        self, request: HttpRequest, queryset: QuerySet[InboundRoute], term: str
    ) -> QuerySet[InboundRoute]:
        return queryset.filter(external_id=term)


def readable_body(body: bytes) -> str:
    """The body as indented JSON, or as text when it is none; cut after 200,000 bytes."""
    head = body[:_SHOWN_BYTES]
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)[:_SHOWN_BYTES]
    except ValueError:
        return head.decode("utf-8", "replace")
