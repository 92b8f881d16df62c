"""The log of deliveries: what was sent, what came back, and sending it again."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from config.admin_base import BigTableAdmin, HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, posted
from config.admin_sites import organization_site
from config.reasons import reason_said
from tenants.errors import ServiceError
from webhooks_app.admin.delivery_filters import EndpointFilter, StatusFilter
from webhooks_app.models import Attempt, Delivery
from webhooks_app.services.deliveries import FINISHED, attempt_request, delivery_replay

STATUS_COLOURS = {
    Delivery.Status.PENDING: "info",
    Delivery.Status.SENDING: "info",
    Delivery.Status.SUCCEEDED: "success",
    Delivery.Status.FAILED: "danger",
    Delivery.Status.CANCELLED: "default",
}
_ATTEMPTS_SHOWN = 30
_REFUSALS_SHOWN = 5
_CHANGE = "webhooks_app.change_endpoint"


@admin.register(Delivery, site=organization_site)
class DeliveryAdmin(HistoryAdmin[Delivery], ReadOnlyAdmin[Delivery], BigTableAdmin[Delivery]):
    list_display = ("when", "status_label", "endpoint", "event_type", "answer", "latency", "attempts", "error_head")
    list_select_related = ("endpoint",)
    list_filter = (StatusFilter, EndpointFilter)
    search_fields = ("uuid",)
    search_help_text = gettext_lazy("webhook-id")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "endpoint",
                    "event_type",
                    "status_label",
                    "answer",
                    "why",
                    "attempts",
                    "due_at",
                    "finished_at",
                )
            },
        ),
        (gettext_lazy("Technical"), {"fields": ("public_id", "order_key", "created_at"), "classes": ("collapse",)}),
    )
    actions = ("replay_selected",)
    actions_detail = ("replay",)
    change_form_template = "admin/webhooks_app/delivery/change_form.html"
    empty_title = gettext_lazy("No delivery yet")
    empty_text = gettext_lazy("As soon as something happens that a webhook wants to know, it is listed here.")

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[Delivery], term: str) -> QuerySet[Delivery]:
        try:
            return queryset.filter(uuid=UUID(term))
        except ValueError:
            return queryset.none()

    @display(description=gettext_lazy("time"))
    def when(self, obj: Delivery) -> str:
        return date_format(timezone.localtime(obj.created_at), "j M H:i:s")

    @display(description=gettext_lazy("status"), label=STATUS_COLOURS)
    def status_label(self, obj: Delivery) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("answer"))
    def answer(self, obj: Delivery) -> str:
        return f"HTTP {obj.status_code}" if obj.status_code else "–"

    @display(description=gettext_lazy("latency"))
    def latency(self, obj: Delivery) -> str:
        return "–" if obj.latency_ms is None else f"{obj.latency_ms} ms"

    @display(description=gettext_lazy("delivered in order among"))
    def order_key(self, obj: Delivery) -> str:
        return obj.ordering_key or "–"

    @display(description=gettext_lazy("error"))
    def error_head(self, obj: Delivery) -> str:
        if not obj.error:
            return ""
        return format_html('<span class="gr-clip gr-short" title="{0}">{0}</span>', reason_said(obj.error))

    @display(description=gettext_lazy("error"))
    def why(self, obj: Delivery) -> str:
        return reason_said(obj.error) or "–"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        delivery: Delivery = context["original"]
        attempts = list(Attempt.objects.filter(delivery_id=delivery.pk).order_by("-id")[:_ATTEMPTS_SHOWN])
        sent = attempt_request(attempt=attempts[0], delivery=delivery) if attempts else None
        context |= {
            "title": _("Delivery of %(event)s") % {"event": delivery.event_type},
            "subtitle": None,
            "attempts": attempts,
            "sent_headers": sent.headers if sent else {},
            "sent_body": json.dumps(json.loads(sent.body), ensure_ascii=False, indent=2) if sent else "",
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def has_replay_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm(_CHANGE):
            return False
        return object_id is None or self.object_or_404(request, str(object_id)).status in FINISHED

    @action(description=gettext_lazy("Deliver again"), url_path="replay", icon="replay", permissions=["replay"])
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        delivery = self.object_or_404(request, object_id)

        def run() -> str:
            delivery_replay(delivery_id=delivery.pk)
            self.log(request, [delivery], CHANGE, _("Delivered again."))
            return _("It is on its way again.")

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Deliver again"),
            submit=_("Deliver again"),
            text=_("The same event goes to %(name)s at once, with the same webhook-id.") % {"name": delivery.endpoint},
            back=self.page_url("change", delivery.pk),
        )

    @action(description=gettext_lazy("Deliver again"), permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        if not request.user.has_perm(_CHANGE):
            raise PermissionDenied
        done: list[Delivery] = []
        refused: list[str] = []
        for delivery in queryset.select_related("endpoint")[: self.list_per_page]:
            try:
                delivery_replay(delivery_id=delivery.pk)
                done.append(delivery)
            except ServiceError as error:
                refused.append(f"{delivery}: {error.message}")
        self.log(request, done, CHANGE, _("Delivered again."))
        if done:
            text = ngettext(
                "%(count)s delivery is on its way again.", "%(count)s deliveries are on their way again.", len(done)
            )
            messages.success(request, text % {"count": len(done)})
        for line in refused[:_REFUSALS_SHOWN]:
            messages.error(request, line)
