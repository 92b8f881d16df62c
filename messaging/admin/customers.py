"""The customers of a vendor and the links by which they connect their channels."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from config.admin_base import HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import organization_of, organization_site
from messaging.models import Customer, SetupLink
from messaging.services.customers import customer_create
from messaging.services.setup_links import HOURS_MOST, setup_link_create, setup_link_revoke, setup_link_state
from messaging.services.signup_networks import NETWORK_LABELS

STATES = {
    "open": ("info", gettext_lazy("open")),
    "completed": ("success", gettext_lazy("completed")),
    "revoked": ("danger", gettext_lazy("revoked")),
    "expired": ("warning", gettext_lazy("expired")),
}


class CustomerForm(ServiceForm):
    """A new customer."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)
    external_id = forms.CharField(
        label=gettext_lazy("Your id"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("What your own system calls this customer."),
    )
    field_aliases = {"externalId": "external_id"}


class SetupLinkForm(ServiceForm):
    """A link for one customer."""

    redirect_url = forms.CharField(
        label=gettext_lazy("Leads back to"),
        max_length=2000,
        required=False,
        help_text=gettext_lazy("https address; the signed result is appended. Empty: the page says that it is done."),
    )
    network = forms.ChoiceField(
        label=gettext_lazy("Type"),
        required=False,
        choices=[("", gettext_lazy("the customer chooses")), *NETWORK_LABELS.items()],
    )
    hours = forms.IntegerField(label=gettext_lazy("Valid for hours"), initial=24, min_value=1, max_value=HOURS_MOST)
    is_sandbox = forms.BooleanField(
        label=gettext_lazy("Sandbox"),
        required=False,
        help_text=gettext_lazy("Simulates Meta's sign-up: nothing reaches Meta or a real phone."),
    )
    field_aliases = {"redirectUrl": "redirect_url", "expiresInHours": "hours", "type": "network"}


@admin.register(Customer, site=organization_site)
class CustomerAdmin(HistoryAdmin[Customer], ReadOnlyAdmin[Customer]):
    list_display = ("name", "email", "external_id", "channel_count", "created_at")
    search_fields = ("name__istartswith", "external_id__exact")
    search_help_text = gettext_lazy("Beginning of the name, or your id")
    fields = ("name", "email", "external_id", "public_id", "channel_names", "created_at")
    actions_detail = ("setup_link",)
    empty_title = gettext_lazy("No customer yet")
    empty_text = gettext_lazy(
        "Customers are the businesses whose channels you connect for them. Their people are contacts."
    )

    @property
    def add_label(self) -> str:
        return _("Add a customer")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("messaging.add_customer")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return super().get_queryset(request).annotate(channels_number=Count("channels"))

    @display(description=gettext_lazy("channels"))
    def channel_count(self, obj: Any) -> int:
        return int(obj.channels_number)

    @display(description=gettext_lazy("channels"))
    def channel_names(self, obj: Customer) -> str:
        """Links to them, with their network: one business often has one name on all of them."""
        rows = [
            (reverse("admin:messaging_channel_change", args=[channel.pk]), channel.name, channel.get_kind_display())
            for channel in obj.channels.order_by("name", "pk")[:50]
        ]
        return format_html_join("", '<p><a class="text-link" href="{}">{}</a> · {}</p>', rows) or "–"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CustomerForm(posted(request))

        def run() -> str:
            customer = customer_create(**form.cleaned_data)
            self.log(request, [customer], ADDITION, _("Created."))
            return _("%(name)s is added.") % {"name": customer}

        return self.run_form(request, form=form, run=run, title=_("New customer"), submit=_("Add"))

    def has_setup_link_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("messaging.add_setuplink")

    @action(
        description=gettext_lazy("Make a setup link"), url_path="setup-link", icon="link", permissions=["setup_link"]
    )
    @sensitive_variables("made")
    def setup_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        customer = self.object_or_404(request, object_id)
        form = SetupLinkForm(posted(request))
        back = self.page_url("change", customer.pk)
        if request.method == "POST" and form.is_valid():
            with form.service_errors():
                made = setup_link_create(organization=organization_of(request), customer=customer, **form.cleaned_data)
            if form.is_valid():
                self.log(request, [customer], CHANGE, _("Setup link made."))
                context = {
                    **self.admin_site.each_context(request),
                    "opts": self.model._meta,
                    "title": _("Setup link for %(name)s") % {"name": customer},
                    "made": made,
                    "back_url": back,
                }
                headers = {"Cache-Control": "no-store"}
                return TemplateResponse(request, "admin/setup_link_once.html", context, headers=headers)
        return self.form_page(
            request,
            form=form,
            title=_("Setup link for %(name)s") % {"name": customer},
            submit=_("Make the link"),
            text=_("Whoever has the link can connect one channel for this customer. It is shown once."),
            back=back,
        )


class StateFilter(admin.SimpleListFilter):
    """Completed or not; open ones may have expired."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("completed", _("completed")), ("stuck", _("stopped with a problem")), ("revoked", _("revoked"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "completed":
            return queryset.filter(completed_at__isnull=False)
        if self.value() == "stuck":
            return queryset.filter(completed_at__isnull=True).exclude(error="")
        return queryset.filter(revoked_at__isnull=False) if self.value() == "revoked" else queryset


@admin.register(SetupLink, site=organization_site)
class SetupLinkAdmin(HistoryAdmin[SetupLink], ReadOnlyAdmin[SetupLink]):
    list_display = ("customer", "state", "step", "error", "is_sandbox", "created_at", "expires_at")
    list_filter = (StateFilter, "is_sandbox")
    list_select_related = ("customer", "channel")
    search_fields = ("customer__name__istartswith",)
    search_help_text = gettext_lazy("Beginning of the customer's name")
    fields = (
        *("customer", "state", "step", "error", "channel", "network_label", "redirect_url", "is_sandbox"),
        *("created_at", "expires_at", "completed_at", "revoked_at", "public_id", "story"),
    )
    actions_detail = ("revoke",)
    empty_title = gettext_lazy("No setup link yet")
    empty_text = gettext_lazy("Make one on a customer's page, or over the gateway API.")

    @display(description=gettext_lazy("state"), label={key: colour for key, (colour, _text) in STATES.items()})
    def state(self, obj: SetupLink) -> tuple[str, str]:
        found = setup_link_state(obj)
        return found, str(STATES[found][1])

    @display(description=gettext_lazy("type"))
    def network_label(self, obj: SetupLink) -> str:
        if not obj.network:
            return _("the customer chooses")
        return NETWORK_LABELS.get(obj.network, obj.network)

    @display(description=gettext_lazy("what happened"))
    def story(self, obj: SetupLink) -> str:
        rows = []
        for entry in obj.log:
            at = parse_datetime(entry["at"])
            label = str(SetupLink.Step(entry["step"]).label)
            rows.append((localtime(at).strftime("%Y-%m-%d %H:%M:%S") if at else "", label, entry["error"] or "✓"))
        return format_html("{}", format_html_join("", "<p>{} · {} · {}</p>", rows)) if rows else "–"

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("messaging.change_setuplink"):
            return False
        return object_id is None or setup_link_state(self.object_or_404(request, str(object_id))) == "open"

    @action(description=gettext_lazy("Revoke"), url_path="revoke", icon="link_off", permissions=["revoke"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        link = self.object_or_404(request, object_id)

        def run() -> str:
            setup_link_revoke(link=link)
            self.log(request, [link], CHANGE, _("Revoked."))
            return _("The link is revoked.")

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Revoke the setup link"),
            submit=_("Revoke the link"),
            danger=True,
            text=_("It stops working at once and cannot be restored; make a new one when it is needed."),
            back=self.page_url("change", link.pk),
        )
