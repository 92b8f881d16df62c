"""An organisation's API keys: made, shown once, revoked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import organization_of, organization_site
from messaging.models import Channel
from tenants.admin.scoped import ScopedAdmin
from tenants.models import ApiKey
from tenants.services.keys import MAX_RATE_PER_MINUTE, SCOPES, api_key_create, api_key_revoke


class ApiKeyForm(ServiceForm):
    """A new key. The safe choice comes first: a test key, which reaches sandbox channels only."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=80,
        help_text=gettext_lazy("Where the key is used, to recognise it later."),
    )
    mode = forms.ChoiceField(
        label=gettext_lazy("Mode"),
        choices=[
            (ApiKey.Mode.TEST, gettext_lazy("Test: sandbox channels only")),
            (ApiKey.Mode.LIVE, gettext_lazy("Live: real messages")),
        ],
        initial=ApiKey.Mode.TEST,
        widget=forms.RadioSelect,
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Give it only what it needs."),
    )
    rate_per_minute = forms.IntegerField(
        label=gettext_lazy("Requests per minute"), initial=600, min_value=1, max_value=MAX_RATE_PER_MINUTE
    )
    expires_at = forms.DateTimeField(
        label=gettext_lazy("Expires"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("Empty: never."),
    )

    def __init__(self, *args: Any, surface: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = SCOPES[surface]
        self.fields["scopes"].choices = [(scope, f"{scope} – {meaning}") for scope, meaning in scopes.items()]  # type: ignore[attr-defined]
        self.fields["scopes"].initial = list(scopes)


class StateFilter(admin.SimpleListFilter):
    """Usable keys, revoked ones, expired ones."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("usable", _("Usable")), ("revoked", _("Revoked")), ("expired", _("Expired"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = timezone.now()
        if self.value() == "usable":
            return queryset.filter(revoked_at__isnull=True).exclude(expires_at__lte=now)
        if self.value() == "revoked":
            return queryset.filter(revoked_at__isnull=False)
        return queryset.filter(revoked_at__isnull=True, expires_at__lte=now) if self.value() == "expired" else queryset


@admin.register(ApiKey, site=organization_site)
class ApiKeyAdmin(ScopedAdmin[ApiKey]):
    list_display = ("name", "key_id", "surface", "mode_label", "state", "scope_list", "last_used_at", "created_at")
    list_filter = (StateFilter, "surface", "mode")
    search_fields = ("name", "key_id")
    search_help_text = gettext_lazy("Name or key id")
    fields = (
        "name",
        "key_id",
        "surface",
        "mode_label",
        "state",
        "scope_list",
        "rate_per_minute",
        "created_at",
        "creator",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    actions_detail = ("revoke",)
    list_select_related = ("created_by",)
    empty_title = gettext_lazy("No API key yet")
    empty_text = gettext_lazy("A key lets your own programs send messages. It is shown once, when you create it.")

    @property
    def add_label(self) -> str:
        return _("Create an API key")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A key is made and revoked, never edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("mode"), label={"live": "success", "test": "info"})
    def mode_label(self, obj: ApiKey) -> tuple[str, str]:
        return obj.mode, _("live") if obj.mode == ApiKey.Mode.LIVE else _("test")

    @display(description=gettext_lazy("state"), label={"usable": "success", "revoked": "danger", "expired": "warning"})
    def state(self, obj: ApiKey) -> tuple[str, str]:
        if obj.revoked_at:
            return "revoked", _("revoked")
        if obj.expires_at and obj.expires_at <= timezone.now():
            return "expired", _("expired")
        return "usable", _("usable")

    @display(description=gettext_lazy("scopes"))
    def scope_list(self, obj: ApiKey) -> str:
        return ", ".join(obj.scopes)

    @display(description=gettext_lazy("created by"))
    def creator(self, obj: ApiKey) -> str:
        return str(obj.created_by) if obj.created_by else "–"

    @sensitive_variables("plain")
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        asked = request.GET.get("surface", "")
        surface = ApiKey.Surface(asked) if asked in SCOPES else ApiKey.Surface.TRANSACTIONAL
        form = ApiKeyForm(posted(request), surface=surface)
        if request.method == "POST" and form.is_valid():
            with form.service_errors():
                api_key, plain = api_key_create(
                    organization=organization_of(request),
                    surface=surface,
                    created_by=request.user,  # type: ignore[arg-type]
                    **form.cleaned_data,
                )
            if form.is_valid():
                self.log(request, [api_key], ADDITION, _("Created."))
                return self._shown_once(request, api_key, plain)
        return self.form_page(
            request,
            form=form,
            title=_("New API key: %(surface)s") % {"surface": surface.label},
            submit=_("Create the key"),
            other_surfaces=[(one, ApiKey.Surface(one).label) for one in SCOPES if one != surface],
            template="admin/api_key_add.html",
            text=_(
                "The key is shown once on the next page. We keep only a fingerprint of it and cannot show it again."
            ),
        )

    def _shown_once(self, request: HttpRequest, api_key: ApiKey, plain: str) -> HttpResponse:
        """The answer to the POST itself: the key is in no address, no session and no cookie."""
        channel = Channel.objects.filter(status=Channel.Status.CONNECTED)
        if api_key.mode == ApiKey.Mode.TEST:
            channel = channel.filter(is_sandbox=True)
        first = channel.order_by("-is_sandbox", "id").first()
        curl = curl_examples[api_key.surface](plain, str(first.uuid) if first else _("<id of a channel>"))
        return TemplateResponse(
            request,
            "admin/api_key_once.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.model._meta,
                "title": _("Your new API key"),
                "api_key": api_key,
                "plain": plain,
                "curl": curl,
                "back_url": self.page_url("changelist"),
            },
            headers={"Cache-Control": "no-store"},
        )

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("tenants.delete_apikey"):
            return False
        return object_id is None or self.object_or_404(request, str(object_id)).revoked_at is None

    @action(description=gettext_lazy("Revoke"), url_path="revoke", icon="block", permissions=["revoke"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        api_key = self.object_or_404(request, object_id)

        def run() -> str:
            api_key_revoke(api_key=api_key)
            self.log(request, [api_key], CHANGE, _("Revoked."))
            return _("%(name)s is revoked.") % {"name": api_key.name}

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Revoke %(name)s") % {"name": api_key.name},
            submit=_("Revoke the key"),
            danger=True,
            text=_("Programs that use it are refused within a second. This cannot be undone."),
            back=self.page_url("change", api_key.pk),
        )


def _curl_transactional(plain: str, channel_id: str) -> str:
    body = {"providerId": channel_id, "to": "+22997000001", "message": "Hello from Griot"}
    return _curl("/api/v1/messages/send", f"X-API-Key: {plain}", body)


def _curl_gateway(plain: str, channel_id: str) -> str:
    body = {"channelId": channel_id, "channelType": "WHATSAPP", "to": "+22997000001", "type": "text", "text": "Hello"}
    return _curl("/v1/messages", f"Authorization: Bearer {plain}", body)


def _curl(path: str, header: str, body: dict[str, Any]) -> str:
    """A command line that sends one message with the key."""
    data = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    return (
        f"curl -X POST {settings.PUBLIC_BASE_URL}{path} \\\n"
        f"  -H '{header}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{data}'"
    )


curl_examples: dict[str, Callable[[str, str], str]] = {
    ApiKey.Surface.TRANSACTIONAL: _curl_transactional,
    ApiKey.Surface.GATEWAY: _curl_gateway,
}
