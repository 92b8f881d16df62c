"""Channels: list with today's figures, set-up with write-only secrets, settings, pause and resume."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ReasonForm, posted
from config.admin_sites import organization_of, organization_site
from config.reasons import reason_said
from messaging.admin.channel_forms import ChannelCreateForm, ChannelSettingsForm, SecretsForm
from messaging.admin.channel_health import ChannelHealth, channels_health, token_text
from messaging.admin.pulse import pulse_page
from messaging.admin.quality_texts import QUALITIES, QUALITY_COLOURS, limit_text
from messaging.drivers.callbacks import CallbackAbout, CallbackDriver, callback_address
from messaging.drivers.registry import driver_of, drivers
from messaging.models import Channel
from messaging.provider_calls import info_of
from messaging.services.channels import (
    channel_create,
    channel_pause,
    channel_resume,
    channel_token_renew,
    channel_update,
    channel_update_secrets,
)
from tenants.errors import Conflict
from tenants.services.plans import limit_check

STATUS_COLOURS = {
    Channel.Status.CONNECTED: "success",
    Channel.Status.PAUSED: "danger",
    Channel.Status.PENDING: "warning",
    Channel.Status.DISCONNECTED: "default",
}


@admin.register(Channel, site=organization_site)
class ChannelAdmin(HistoryAdmin[Channel], ReadOnlyAdmin[Channel]):
    """Rows change only through the actions; secrets go in and never come out."""

    list_display = ("name", "status_label", "number", "kind_label", "queue", "rate", "today", "risk")
    list_filter = ("status", "is_sandbox")
    search_fields = ("name", "address", "external_id")
    search_help_text = gettext_lazy("Name, number or provider's id")
    fieldsets = (
        (None, {"fields": ("name", "status_label", "why", "number", "kind_label", "created_at")}),
        (
            gettext_lazy("Settings"),
            {"fields": ("rate", "daily_cap", "enforce_window", "in_doubt_policy", "quality", "messaging_limit")},
        ),
        (
            gettext_lazy("Connection"),
            {"fields": ("public_id", "external_id", "account_id", "token", "secrets_set"), "classes": ("collapse",)},
        ),
    )
    actions_detail = ("test_send", "pause", "resume", "settings", "new_secrets", "addresses")
    empty_title = gettext_lazy("No channel yet")
    empty_text = gettext_lazy("A channel is a number that you send from and are answered at. Connect your first one.")

    @property
    def add_label(self) -> str:
        return _("Connect a channel")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(pulse_page, self))
        return [path("pulse/", view, name="messaging_channel_pulse"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("messaging.add_channel")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The figures of all rows of the page, in a fixed number of queries."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        health = channels_health(channels=rows)
        for row in rows:
            row.health = health[row.pk]
        changelist.result_list = rows
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Channel | None:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            found.health = channels_health(channels=[found])[found.pk]  # type: ignore[attr-defined]
        return found

    @display(description=gettext_lazy("state"), ordering="status", label=STATUS_COLOURS)
    def status_label(self, obj: Channel) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("reason"))
    def why(self, obj: Channel) -> str:
        return reason_said(obj.status_reason) or "–"

    @display(description=gettext_lazy("number"), ordering="address")
    def number(self, obj: Channel) -> str:
        return f"+{obj.address}" if obj.address else "–"

    @display(description=gettext_lazy("kind"))
    def kind_label(self, obj: Channel) -> str:
        kind = str(obj.get_kind_display())
        return " · ".join((kind, _("sandbox"))) if obj.is_sandbox else kind

    @display(description=gettext_lazy("waiting"))
    def queue(self, obj: Any) -> str:
        return str(obj.health.queue_text)

    @display(description=gettext_lazy("per second"))
    def rate(self, obj: Channel) -> str:
        if obj.rate_per_second == 0:
            return _("no limit")
        return str(driver_of(obj.kind).default_rate if obj.rate_per_second is None else obj.rate_per_second)

    @display(description=gettext_lazy("today"))
    def today(self, obj: Any) -> str:
        day = obj.health.day
        return _("%(accepted)s accepted, %(delivered)s delivered, %(failed)s failed") % {
            name: number_format(getattr(day, name), force_grouping=True) for name in ("accepted", "delivered", "failed")
        }

    @display(description=gettext_lazy("risk"), label={"low": "success", "raised": "warning", "high": "danger"})
    def risk(self, obj: Any) -> tuple[str, str]:
        return obj.health.risk_level, str(obj.health.risk)

    @display(description=gettext_lazy("quality"), label=QUALITY_COLOURS)
    def quality(self, obj: Channel) -> tuple[str, str]:
        """The provider's rating in words; one that is new to us as it is."""
        return obj.quality_rating, str(QUALITIES.get(obj.quality_rating, obj.quality_rating)) or "–"

    @display(description=gettext_lazy("people to write to first, in 24 hours"))
    def messaging_limit(self, obj: Channel) -> str:
        return limit_text(str(obj.config.get("messaging_limit") or ""))

    @display(description=gettext_lazy("access token valid"))
    def token(self, obj: Channel) -> str:
        return token_text(obj)

    @display(description=gettext_lazy("secrets"))
    def secrets_set(self, obj: Channel) -> str:
        """Which secrets are there, never what they are."""
        names = driver_of(obj.kind).secret_fields
        there, missing = _("set"), _("not set")
        rows = [f"{name}: {there if (obj.secrets or {}).get(name) else missing}" for name in names]
        return format_html("<br>".join("{}" for _row in rows), *rows)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        channel = context["original"]
        health: ChannelHealth = channel.health
        context |= {
            "title": channel.name,
            "subtitle": None,
            "health": health,
            "status_colour": STATUS_COLOURS[Channel.Status(channel.status)],
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        kinds = drivers()
        kind = request.GET.get("kind", "")
        driver = kinds.get(kind) or next(iter(kinds.values()))
        organization = organization_of(request)
        form = ChannelCreateForm(posted(request), driver=driver, country=organization.default_country)
        made: list[Channel] = []

        def run() -> str:
            with transaction.atomic():
                limit_check(organization=organization, what="channels")
                made.append(
                    channel_create(
                        organization=organization, kind=driver.kind, secrets=form.secrets(), **form.channel_fields()
                    )
                )
            self.log(request, made, ADDITION, _("Connected."))
            return _("%(name)s is connected.") % {"name": made[0]}

        answer = self.run_form(
            request,
            form=form,
            run=run,
            title=_("Connect a channel: %(kind)s") % {"kind": driver.label},
            submit=_("Connect"),
            text=_("You find these values at the provider. Secrets are stored encrypted and never shown again."),
            other_kinds=[(name, item.label) for name, item in kinds.items() if name != driver.kind],
            template="admin/channel_add.html",
        )
        return HttpResponseRedirect(self.page_url("change", made[0].pk)) if made else answer

    def _may_change(self, request: HttpRequest, object_id: Any) -> Channel | None:
        if object_id is None or not request.user.has_perm("messaging.change_channel"):
            return None
        return self.object_or_404(request, str(object_id))

    def has_pause_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        channel = self._may_change(request, object_id)
        return channel is not None and channel.status == Channel.Status.CONNECTED

    def has_resume_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        channel = self._may_change(request, object_id)
        return channel is not None and channel.status == Channel.Status.PAUSED

    def has_settings_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._may_change(request, object_id) is not None

    @action(description=gettext_lazy("Pause"), url_path="pause", icon="pause_circle", permissions=["pause"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self.object_or_404(request, object_id)
        form = ReasonForm(posted(request))

        def run() -> str:
            if not channel_pause(
                channel_id=channel.pk, reason=form.cleaned_data["reason"], by=request.user.get_username()
            ):
                raise Conflict("channel_state", _("The channel is not connected any more."))
            self.log(request, [channel], CHANGE, _("Paused: %s") % form.cleaned_data["reason"])
            return _("%(name)s is paused.") % {"name": channel}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Pause %(name)s") % {"name": channel},
            submit=_("Pause"),
            text=_(
                "Sending stops within a second. Messages wait in the queue; new ones are refused. "
                "Customers can still write."
            ),
            danger=True,
            back=self.page_url("change", channel.pk),
        )

    @action(description=gettext_lazy("Resume"), url_path="resume", icon="play_circle", permissions=["resume"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self.object_or_404(request, object_id)

        def run() -> str:
            if not channel_resume(channel_id=channel.pk, by=request.user.get_username()):
                raise Conflict("channel_state", _("The channel is not paused any more."))
            self.log(request, [channel], CHANGE, _("Resumed."))
            return _("%(name)s sends again.") % {"name": channel}

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Resume %(name)s") % {"name": channel},
            submit=_("Resume"),
            text=channel.status_reason
            and _("It was paused because: %(reason)s\nMend that first, or it pauses again.")
            % {"reason": reason_said(channel.status_reason)},
            back=self.page_url("change", channel.pk),
        )

    @action(description=gettext_lazy("Settings"), url_path="settings", icon="tune", permissions=["settings"])
    def settings(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self.object_or_404(request, object_id)
        initial = {name: getattr(channel, name) for name in ChannelSettingsForm.base_fields}
        initial |= {f"setting_{name}": value for name, value in channel.config.items()}
        form = ChannelSettingsForm(posted(request), initial=initial, driver=driver_of(channel.kind))

        def run() -> str:
            changed = {name: form.cleaned_data[name] for name in form.changed_data}
            if changed:
                channel_update(channel_id=channel.pk, changed=changed)
                self.log(request, [channel], CHANGE, _("Settings: %s") % ", ".join(changed))
            return _("The settings of %(name)s are saved.") % {"name": form.cleaned_data["name"]}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Settings of %(name)s") % {"name": channel},
            submit=_("Save"),
            back=self.page_url("change", channel.pk),
        )

    def has_test_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if object_id is None or not request.user.has_perm("messaging.add_message"):
            return False
        return self.object_or_404(request, str(object_id)).status == Channel.Status.CONNECTED

    @action(description=gettext_lazy("Send a test"), url_path="test", icon="send", permissions=["test"])
    def test_send(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form that sends a message, with this channel chosen."""
        channel = self.object_or_404(request, object_id)
        return HttpResponseRedirect(f"{reverse('admin:messaging_message_add')}?channel={channel.pk}")

    def has_addresses_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        channel = self._may_change(request, object_id)
        return channel is not None and isinstance(driver_of(channel.kind), CallbackDriver)

    @action(
        description=gettext_lazy("Addresses"),
        url_path="addresses",
        icon="call_received",
        permissions=["addresses"],
    )
    def addresses(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Where the gateway reports to. They hold a secret, so only those see them who may change it."""
        channel = self.object_or_404(request, object_id)
        info = info_of(channel)

        def run() -> str:
            channel_token_renew(channel=channel)
            self.log(request, [channel], CHANGE, _("New addresses for the gateway."))
            return _("%(name)s has new addresses. Give them to the gateway: the old ones are closed.") % {
                "name": channel
            }

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Addresses for the gateway of %(name)s") % {"name": channel},
            submit=_("Make new ones"),
            text=_(
                "The gateway calls these, by GET or POST. Whoever knows them can report in its name: keep them secret. "
                "When somebody else has seen them, make new ones."
            ),
            danger=True,
            back=self.page_url("change", channel.pk),
            template="admin/channel_addresses.html",
            rows=[
                (_("Delivery reports"), callback_address(info, CallbackAbout.REPORT)),
                (_("Messages of customers"), callback_address(info, CallbackAbout.MESSAGE)),
            ],
        )

    @action(description=gettext_lazy("Secrets"), url_path="secrets", icon="key", permissions=["settings"])
    def new_secrets(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self.object_or_404(request, object_id)
        form = SecretsForm(posted(request), driver=driver_of(channel.kind), required=False)

        def run() -> str:
            given = form.secrets()
            if not given:
                return _("Nothing was entered: everything stays as it is.")
            channel_update_secrets(channel=channel, secrets=given)
            self.log(request, [channel], CHANGE, _("New secrets: %s") % ", ".join(given))
            return _("The new secrets of %(name)s are in force.") % {"name": channel}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Secrets of %(name)s") % {"name": channel},
            submit=_("Save"),
            text=_("What is stored is never shown. Leave a field empty to keep what is there."),
            back=self.page_url("change", channel.pk),
        )
