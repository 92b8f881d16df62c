"""Super-admins: organisations, from creation to purge, their usage, and "enter as"."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import HistoryAdmin, ReadOnlyAdmin, ReadOnlyInline
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ReasonForm, ServiceForm, posted
from config.admin_sites import public_site
from tenants.admin.choices import country_choices, time_zone_choices
from tenants.admin.usage import Usage, usage_of
from tenants.models import Domain, Membership, Organization, Plan, Subscription
from tenants.services.addresses import organization_url
from tenants.services.organizations import (
    customer_organizations,
    organization_create,
    organization_delete,
    organization_restore,
    organization_resume,
    organization_suspend,
)
from tenants.services.support import support_access_grant

STATUS_LABELS = {
    Organization.Status.ACTIVE: "success",
    Organization.Status.SUSPENDED: "warning",
    Organization.Status.DELETED: "danger",
}


class OrganizationCreateForm(ServiceForm):
    """A new organisation and its first owner."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    slug = forms.CharField(
        label=gettext_lazy("Short name"),
        max_length=40,
        help_text=gettext_lazy("3 to 40 of a-z, 0-9 and -. Part of the organisation's address; cannot change later."),
    )
    owner_email = forms.EmailField(
        label=gettext_lazy("Owner's e-mail"),
        help_text=gettext_lazy("An account that exists already becomes owner here too and keeps its password."),
    )
    owner_password = forms.CharField(
        label=gettext_lazy("Owner's first password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy(
            "At least 10 characters, for a new account. It should be changed after the first login."
        ),
    )
    plan = forms.ModelChoiceField(label=gettext_lazy("Plan"), queryset=Plan.objects.none())
    default_country = forms.ChoiceField(
        label=gettext_lazy("Default country"),
        initial="BJ",
        help_text=gettext_lazy("Phone numbers without a country code are read as numbers of this country."),
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), initial="Africa/Porto-Novo")
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=settings.LANGUAGES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plan = self.fields["plan"]
        plan.queryset = Plan.objects.filter(is_active=True)  # type: ignore[attr-defined]
        plan.initial = plan.queryset.first()  # type: ignore[attr-defined]
        self.fields["default_country"].choices = country_choices()  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = time_zone_choices()  # type: ignore[attr-defined]


class DomainInline(ReadOnlyInline):
    model = Domain
    fk_name = "tenant"
    fields = ("domain", "is_primary")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).order_by("-is_primary", "domain")


class SubscriptionInline(ReadOnlyInline):
    model = Subscription
    fields = ("plan", "starts_at", "ends_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("plan", "organization")


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role", "is_suspended", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "organization")


@admin.register(Organization, site=public_site)
class OrganizationAdmin(HistoryAdmin[Organization], ReadOnlyAdmin[Organization]):
    """Everything that changes here goes through the services: rows are never saved by the admin."""

    list_display = ("name", "status_label", "host_link", "current_plan", "members", "month_accepted", "created_at")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    search_help_text = gettext_lazy("Name or short name")
    list_per_page = 25
    fieldsets = (
        (None, {"fields": ("name", "slug", "status_label", "status_reason", "host_link", "purge_at")}),
        (gettext_lazy("Defaults"), {"fields": ("default_country", "time_zone", "language")}),
        (gettext_lazy("Used this month"), {"fields": ("usage_table",)}),
        (gettext_lazy("Technical"), {"fields": ("public_id", "schema_name", "created_at"), "classes": ("collapse",)}),
    )
    inlines = (SubscriptionInline, DomainInline, MembershipInline)
    actions_detail = ("enter", "suspend", "resume", "delete_softly", "restore")
    empty_title = gettext_lazy("No organisation yet")
    empty_text = gettext_lazy("Create the first one: it gets its own address, its own data and an owner.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        found: QuerySet[Organization] = (
            customer_organizations()
            .annotate(member_count=Count("memberships", distinct=True))
            .prefetch_related("subscriptions__plan")
            .order_by("name")
        )
        return found

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """One query tells what all organisations of the page have used."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        usage = usage_of(rows)
        for row in rows:
            row.usage = usage.get(row.pk, Usage())
        changelist.result_list = rows
        return changelist

    @display(description=gettext_lazy("Status"), ordering="status", label=STATUS_LABELS)
    def status_label(self, obj: Organization) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("Address"))
    def host_link(self, obj: Organization) -> str:
        return format_html('<a class="text-link" href="{}">{}</a>', organization_url(obj, "/admin/"), obj.host)

    @display(description=gettext_lazy("Plan"))
    def current_plan(self, obj: Organization) -> str:
        newest = next(iter(obj.subscriptions.all()), None)
        return str(newest.plan) if newest else "–"

    @display(description=gettext_lazy("Members"), ordering="member_count")
    def members(self, obj: Any) -> int:
        return int(obj.member_count)

    @display(description=gettext_lazy("Messages this month"))
    def month_accepted(self, obj: Any) -> str:
        return number_format(obj.usage.accepted, force_grouping=True)

    @display(description=gettext_lazy("Usage"))
    def usage_table(self, obj: Organization) -> str:
        usage = usage_of([obj]).get(obj.pk, Usage())
        rows = (
            (_("Messages accepted"), usage.accepted),
            (_("Delivered"), usage.delivered),
            (_("Failed"), usage.failed),
            (_("Received"), usage.received),
            (_("Channels"), usage.channels),
            (_("Contacts, about"), usage.contacts),
        )
        cells = [
            format_html("{}: <strong>{}</strong>", name, number_format(value, force_grouping=True))
            for name, value in rows
        ]
        return format_html("<br>".join("{}" for _cell in cells), *cells)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = OrganizationCreateForm(posted(request))
        made: list[Organization] = []

        def run() -> str:
            given = {**form.cleaned_data, "owner_password": form.cleaned_data["owner_password"] or None}
            made.append(organization_create(**given))
            self.log(request, made, ADDITION, _("Created."))
            return _("%(name)s is ready.") % {"name": made[0]}

        answer = self.run_form(
            request,
            form=form,
            run=run,
            title=_("New organisation"),
            submit=_("Create"),
            text=_("It gets its own address and its own data, which nobody else can reach."),
        )
        return HttpResponseRedirect(self.page_url("change", made[0].pk)) if made else answer

    def has_enter_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._in_status(request, object_id, Organization.Status.ACTIVE)

    def has_suspend_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._in_status(request, object_id, Organization.Status.ACTIVE)

    def has_resume_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._in_status(request, object_id, Organization.Status.SUSPENDED)

    def has_delete_softly_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._in_status(request, object_id, Organization.Status.ACTIVE, Organization.Status.SUSPENDED)

    def has_restore_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._in_status(request, object_id, Organization.Status.DELETED)

    def _in_status(self, request: HttpRequest, object_id: Any, *statuses: str) -> bool:
        return object_id is not None and self.object_or_404(request, str(object_id)).status in statuses

    @action(description=gettext_lazy("Enter as support"), url_path="enter", icon="login", permissions=["enter"])
    def enter(self, request: HttpRequest, object_id: str) -> HttpResponse:
        organization = self.object_or_404(request, object_id)
        form = ReasonForm(posted(request))
        if request.method == "POST" and form.is_valid():
            address = ""
            with form.service_errors():
                address = support_access_grant(
                    user=request.user,  # type: ignore[arg-type]
                    organization=organization,
                    reason=form.cleaned_data["reason"],
                )
            if form.is_valid():
                self.log(request, [organization], CHANGE, _("Support access: %s") % form.cleaned_data["reason"])
                return HttpResponseRedirect(address)
        return self.form_page(
            request,
            form=form,
            title=_("Enter %(name)s as support") % {"name": organization},
            submit=_("Enter"),
            text=_(
                "You see and change what an owner can. Your name, the reason and the times are recorded, "
                "the organisation sees them too. The visit ends by itself after 60 minutes."
            ),
            back=self.page_url("change", organization.pk),
        )

    @action(description=gettext_lazy("Suspend"), url_path="suspend", icon="pause_circle", permissions=["suspend"])
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        organization = self.object_or_404(request, object_id)
        form = ReasonForm(posted(request))

        def run() -> str:
            organization_suspend(organization=organization, reason=form.cleaned_data["reason"])
            self.log(request, [organization], CHANGE, _("Suspended: %s") % form.cleaned_data["reason"])
            return _("%(name)s is suspended.") % {"name": organization}

        return self._step(
            request,
            organization,
            form,
            run,
            _("Suspend %(name)s"),
            _("Suspend"),
            _("Its keys, logins and sends stop at once. Nothing is deleted; messages wait."),
            danger=True,
        )

    @action(description=gettext_lazy("Resume"), url_path="resume", icon="play_circle", permissions=["resume"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        organization = self.object_or_404(request, object_id)

        def run() -> str:
            organization_resume(organization=organization)
            self.log(request, [organization], CHANGE, _("Resumed."))
            return _("%(name)s works again.") % {"name": organization}

        return self._step(
            request,
            organization,
            ConfirmForm(posted(request)),
            run,
            _("Resume %(name)s"),
            _("Resume"),
            _("Its keys, logins and sends work again at once; waiting messages are sent."),
        )

    @action(description=gettext_lazy("Delete"), url_path="delete-softly", icon="delete", permissions=["delete_softly"])
    def delete_softly(self, request: HttpRequest, object_id: str) -> HttpResponse:
        organization = self.object_or_404(request, object_id)
        form = ReasonForm(posted(request))

        def run() -> str:
            organization_delete(organization=organization, reason=form.cleaned_data["reason"])
            self.log(request, [organization], CHANGE, _("Deleted: %s") % form.cleaned_data["reason"])
            return _("%(name)s is deleted. It can be restored until the purge.") % {"name": organization}

        return self._step(
            request,
            organization,
            form,
            run,
            _("Delete %(name)s"),
            _("Delete"),
            _("Everything stops at once. The data is kept for a grace period, then purged for good."),
            danger=True,
        )

    @action(description=gettext_lazy("Restore"), url_path="restore", icon="restore", permissions=["restore"])
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        organization = self.object_or_404(request, object_id)

        def run() -> str:
            organization_restore(organization=organization)
            self.log(request, [organization], CHANGE, _("Restored."))
            return _("%(name)s is back.") % {"name": organization}

        return self._step(
            request,
            organization,
            ConfirmForm(posted(request)),
            run,
            _("Restore %(name)s"),
            _("Restore"),
            _("The organisation comes back with all its data, as it was before the deletion."),
        )

    def _step(
        self,
        request: HttpRequest,
        organization: Organization,
        form: ServiceForm,
        run: Any,
        title: str,
        submit: str,
        text: str,
        *,
        danger: bool = False,
    ) -> HttpResponse:
        return self.run_form(
            request,
            form=form,
            run=run,
            title=title % {"name": organization},
            submit=submit,
            text=text,
            danger=danger,
            back=self.page_url("change", organization.pk),
        )
