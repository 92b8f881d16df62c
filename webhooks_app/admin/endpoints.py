"""Webhooks: list with health, registration, test, secret, switch, replay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from config.admin_base import HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, posted
from config.admin_sites import organization_site
from config.reasons import reason_said
from webhooks_app.admin.endpoint_forms import EndpointCreateForm, EndpointForm, ReplayForm, RotateForm
from webhooks_app.catalogue import Surface
from webhooks_app.models import Endpoint, Replay
from webhooks_app.reports import EndpointStats, endpoints_stats
from webhooks_app.services.deliveries import deliveries_last
from webhooks_app.services.endpoints import (
    endpoint_create,
    endpoint_delete,
    endpoint_rotate_secret,
    endpoint_toggle,
    endpoint_update,
)
from webhooks_app.services.replays import replay_start
from webhooks_app.services.testing import endpoint_test

STATE_COLOURS = {"on": "success", "failing": "warning", "off": "default", "disabled": "danger"}
_FIELDS = ("name", "url", "events", "channel_ids", "retry_limit", "timeout")


@admin.register(Endpoint, site=organization_site)
class EndpointAdmin(HistoryAdmin[Endpoint], ReadOnlyAdmin[Endpoint]):
    """Rows change only through the actions; a secret is shown once, when it is made."""

    list_display = ("name", "state", "format", "short_url", "event_list", "figures", "last")
    list_filter = ("is_active", "surface")
    search_fields = ("name", "url")
    search_help_text = gettext_lazy("Name or address")
    fieldsets = (
        (None, {"fields": ("name", "state", "why_off", "url", "format", "event_list", "created_at")}),
        (gettext_lazy("Figures"), {"fields": ("figures", "latency", "by_event", "last", "failing_since")}),
        (
            gettext_lazy("Settings"),
            {
                "fields": ("retry_limit", "timeout", "channel_ids", "secret_state", "public_id"),
                "classes": ("collapse",),
            },
        ),
    )
    actions_detail = ("test", "toggle", "settings", "rotate", "replay", "remove")
    change_form_template = "admin/webhooks_app/endpoint/change_form.html"
    empty_title = gettext_lazy("No webhook yet")
    empty_text = gettext_lazy("A webhook tells one of your systems at once when a message arrives or a status changes.")

    @property
    def add_label(self) -> str:
        return _("Add a webhook")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks_app.add_endpoint")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        return super().get_queryset(request).filter(deleted_at__isnull=True)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The figures of all rows of the page with one query."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        stats = endpoints_stats(endpoints=rows)
        for row in rows:
            row.stats = stats[row.pk]
        changelist.result_list = rows
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Endpoint | None:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            found.stats = endpoints_stats(endpoints=[found])[found.pk]  # type: ignore[attr-defined]
        return found

    @display(description=gettext_lazy("switched off because"))
    def why_off(self, obj: Endpoint) -> str:
        return reason_said(obj.disabled_reason) or "–"

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state(self, obj: Endpoint) -> tuple[str, str]:
        if not obj.is_active:
            return ("disabled", _("switched off by us")) if obj.disabled_reason else ("off", _("off"))
        return ("failing", _("failing")) if obj.failing_since else ("on", _("on"))

    @display(description=gettext_lazy("format"), ordering="surface")
    def format(self, obj: Endpoint) -> str:
        """Those of test keys say so: they hear of sandbox channels only."""
        return " · ".join((obj.get_surface_display(), _("test"))) if obj.test_only else obj.get_surface_display()

    @display(description=gettext_lazy("address"), ordering="url")
    def short_url(self, obj: Endpoint) -> str:
        return format_html('<span class="gr-clip" title="{0}">{0}</span>', obj.url)

    @display(description=gettext_lazy("events"))
    def event_list(self, obj: Endpoint) -> str:
        return _("all") if "*" in obj.events else ", ".join(obj.events)

    @display(description=gettext_lazy("deliveries"))
    def figures(self, obj: Any) -> str:
        stats: EndpointStats = obj.stats
        if not stats.total:
            return "–"
        return _("%(good)s arrived, %(bad)s failed (%(rate)s %%)") % {
            "good": number_format(stats.successful, force_grouping=True),
            "bad": number_format(stats.failed, force_grouping=True),
            "rate": number_format(stats.success_rate),
        }

    @display(description=gettext_lazy("average latency"))
    def latency(self, obj: Any) -> str:
        stats: EndpointStats = obj.stats
        return "–" if stats.average_latency_ms is None else f"{stats.average_latency_ms} ms"

    @display(description=gettext_lazy("by event"))
    def by_event(self, obj: Any) -> str:
        stats: EndpointStats = obj.stats
        return ", ".join(f"{name} {number_format(count, force_grouping=True)}" for name, count in stats.by_event) or "–"

    @display(description=gettext_lazy("last delivery"))
    def last(self, obj: Any) -> str:
        moment = obj.stats.last_triggered_at
        return date_format(timezone.localtime(moment), "j M H:i:s") if moment else "–"

    @display(description=gettext_lazy("secret"))
    def secret_state(self, obj: Endpoint) -> str:
        """Whether there is one, never what it is."""
        if obj.previous_until and obj.previous_until > timezone.now():
            until = date_format(timezone.localtime(obj.previous_until), "j M H:i")
            return _("set; the old one signs too until %(time)s") % {"time": until}
        return _("set") if obj.secrets.get("current") else _("not set")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        endpoint: Endpoint = context["original"]
        context |= {
            "title": endpoint.name,
            "subtitle": None,
            "deliveries": deliveries_last(endpoint_id=endpoint.pk),
            "log_url": f"{reverse('admin:webhooks_app_delivery_changelist')}?endpoint={endpoint.pk}",
            "replays": Replay.objects.filter(endpoint=endpoint).order_by("-id")[:3],
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @sensitive_variables("plain", "form")
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        surface = request.GET.get("surface", "")
        if surface not in Surface.values:
            surface = Surface.WORKSPACE
        initial = {"retry_limit": 7, "timeout": 10}
        form = EndpointCreateForm(posted(request), surface=surface, initial=initial)
        if request.method == "POST" and form.is_valid():
            with form.service_errors():
                endpoint, plain = endpoint_create(surface=surface, **form.values())
            if form.is_valid():
                self.log(request, [endpoint], ADDITION, _("Created."))
                return self._shown_once(request, endpoint, plain)
        return self.form_page(
            request,
            form=form,
            title=_("New webhook: %(format)s") % {"format": Surface(surface).label},
            submit=_("Create the webhook"),
            text=_("The format decides how events are called and what their payload looks like."),
            other_formats=[(value, label) for value, label in Surface.choices if value != surface],
            template="admin/webhooks_app/endpoint/add.html",
        )

    def _shown_once(self, request: HttpRequest, endpoint: Endpoint, plain: str) -> HttpResponse:
        """The answer to the POST itself: the secret is in no address, no session and no cookie."""
        return TemplateResponse(
            request,
            "admin/webhooks_app/endpoint/secret_once.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.model._meta,
                "title": _("The secret of %(name)s") % {"name": endpoint.name},
                "plain": plain,
                "back_url": self.page_url("change", endpoint.pk),
            },
            headers={"Cache-Control": "no-store"},
        )

    def _may(self, request: HttpRequest, object_id: Any, right: str = "change") -> bool:
        if object_id is None or not request.user.has_perm(f"webhooks_app.{right}_endpoint"):
            return False
        return bool(self.object_or_404(request, str(object_id)))

    def has_settings_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._may(request, object_id)

    def has_replay_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._may(request, object_id) and self.object_or_404(request, str(object_id)).is_active

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._may(request, object_id, "delete")

    @action(description=gettext_lazy("Send a test"), url_path="test", icon="send", permissions=["settings"])
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.object_or_404(request, object_id)
        back = self.page_url("change", endpoint.pk)
        if request.method != "POST":
            return self.form_page(
                request,
                form=ConfirmForm(),
                title=_("Test %(name)s") % {"name": endpoint.name},
                submit=_("Send now"),
                text=_("A signed event webhook.test goes to %(url)s at once.") % {"url": endpoint.url},
                back=back,
            )
        done = endpoint_test(endpoint_id=endpoint.pk)
        words = {"code": done.status_code, "ms": done.latency_ms, "error": reason_said(done.error)}
        if done.succeeded:
            messages.success(request, _("It answered with HTTP %(code)s after %(ms)s ms.") % words)
        else:
            messages.error(request, _("It did not arrive: %(error)s (%(ms)s ms)") % words)
        return HttpResponseRedirect(back)

    @action(
        description=gettext_lazy("On / off"), url_path="toggle", icon="power_settings_new", permissions=["settings"]
    )
    def toggle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.object_or_404(request, object_id)
        on = not endpoint.is_active

        def run() -> str:
            endpoint_toggle(endpoint_id=endpoint.pk, is_active=on)
            self.log(request, [endpoint], CHANGE, _("Switched on.") if on else _("Switched off."))
            return (_("%(name)s is on.") if on else _("%(name)s is off.")) % {"name": endpoint.name}

        on_text = _("What waits is delivered now. Events that happened while it was off are not made up for.")
        off_text = _(
            "Nothing more is delivered, and new events are not kept for it. What waits goes on when it is on again."
        )
        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=(_("Switch %(name)s on") if on else _("Switch %(name)s off")) % {"name": endpoint.name},
            submit=_("Switch on") if on else _("Switch off"),
            text=on_text if on else off_text,
            danger=not on,
            back=self.page_url("change", endpoint.pk),
        )

    @action(description=gettext_lazy("Settings"), url_path="settings", icon="tune", permissions=["settings"])
    def settings(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.object_or_404(request, object_id)
        initial = {name: getattr(endpoint, name) for name in _FIELDS}
        form = EndpointForm(posted(request), surface=endpoint.surface, initial=initial)

        def run() -> str:
            endpoint_update(endpoint_id=endpoint.pk, **form.values())
            self.log(request, [endpoint], CHANGE, _("Settings: %s") % ", ".join(form.changed_data))
            return _("The settings of %(name)s are saved.") % {"name": form.cleaned_data["name"]}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Settings of %(name)s") % {"name": endpoint.name},
            submit=_("Save"),
            back=self.page_url("change", endpoint.pk),
        )

    @sensitive_variables("plain")
    @action(description=gettext_lazy("New secret"), url_path="rotate", icon="key", permissions=["settings"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.object_or_404(request, object_id)
        form = RotateForm(posted(request))
        if request.method == "POST" and form.is_valid():
            with form.service_errors():
                plain = endpoint_rotate_secret(
                    endpoint_id=endpoint.pk, overlap=timedelta(hours=form.cleaned_data["hours"])
                )
            if form.is_valid():
                self.log(request, [endpoint], CHANGE, _("New secret."))
                return self._shown_once(request, endpoint, plain)
        return self.form_page(
            request,
            form=form,
            title=_("New secret for %(name)s") % {"name": endpoint.name},
            submit=_("Make a new secret"),
            text=_("It is shown once on the next page. Until the old one ends every delivery carries both signatures."),
            danger=True,
            back=self.page_url("change", endpoint.pk),
        )

    @action(description=gettext_lazy("Replay"), url_path="replay", icon="replay", permissions=["replay"])
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.object_or_404(request, object_id)
        form = ReplayForm(posted(request))

        def run() -> str:
            since = timezone.now() - timedelta(hours=form.cleaned_data["hours"])
            replay_start(endpoint_id=endpoint.pk, since=since, failed_only=form.cleaned_data["failed_only"])
            self.log(request, [endpoint], CHANGE, _("Replay of %s hours.") % form.cleaned_data["hours"])
            return _("The replay is running; this page shows how far it is.")

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Deliver again to %(name)s") % {"name": endpoint.name},
            submit=_("Deliver again"),
            text=_("This runs in the background, in batches. Deliveries keep their webhook-id."),
            danger=True,
            back=self.page_url("change", endpoint.pk),
        )

    @action(description=gettext_lazy("Delete"), url_path="remove", icon="delete", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.object_or_404(request, object_id)

        def run() -> str:
            endpoint_delete(endpoint_id=endpoint.pk)
            self.log(request, [endpoint], DELETION, _("Deleted."))
            return _("%(name)s is deleted.") % {"name": endpoint.name}

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Delete %(name)s") % {"name": endpoint.name},
            submit=_("Delete the webhook"),
            text=_("Nothing more is delivered and what waits is cancelled. This cannot be undone."),
            danger=True,
            back=self.page_url("changelist"),
        )
