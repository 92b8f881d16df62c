"""An organisation's own profile, for its owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from config.admin_base import SingleRowAdmin
from config.admin_decorators import display
from config.admin_sites import organization_of, organization_site
from config.admin_widgets import SelectWidget
from tenants.admin.choices import country_choices, time_zone_choices
from tenants.admin.scoped import ScopedAdmin
from tenants.admin.usage import Usage, usage_of
from tenants.models import Organization
from tenants.services.plans import plan_current

if TYPE_CHECKING:
    _OrganizationForm = forms.ModelForm[Organization]
else:
    _OrganizationForm = forms.ModelForm


class ProfileForm(_OrganizationForm):
    """Name and defaults; status, address and plan belong to the super-admins."""

    default_country = forms.ChoiceField(
        label=_("Default country"),
        widget=SelectWidget,
        help_text=_("Phone numbers without a country code are read as numbers of this country."),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"), widget=SelectWidget, help_text=_("Days and times are shown in this zone.")
    )

    class Meta:
        model = Organization
        fields = ("name", "brand_color", "default_country", "time_zone", "language")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Absent when the page is only shown.
        if "default_country" in self.fields:
            self.fields["default_country"].choices = country_choices()  # type: ignore[attr-defined]
            self.fields["time_zone"].choices = time_zone_choices()  # type: ignore[attr-defined]


@admin.register(Organization, site=organization_site)
class ProfileAdmin(SingleRowAdmin[Organization], ScopedAdmin[Organization]):
    organization_lookup = "pk"
    form = ProfileForm
    readonly_fields = ("host", "plan_used", "public_id")
    fieldsets = (
        (None, {"fields": ("name", "brand_color", "host", "public_id")}),
        (_("Defaults"), {"fields": ("default_country", "time_zone", "language")}),
        (_("Plan"), {"fields": ("plan_used",)}),
    )

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        """Only what the form holds: a suspension that happens meanwhile must not be undone by an old row."""
        Organization.objects.filter(pk=organization_of(request).pk).update(
            **{name: form.cleaned_data[name] for name in ProfileForm.Meta.fields}
        )

    @display(description=_("address"))
    def host(self, obj: Organization) -> str:
        return obj.host

    @display(description=_("plan and use this month"))
    def plan_used(self, obj: Organization) -> str:
        plan, usage = plan_current(organization_id=obj.pk), usage_of([obj]).get(obj.pk, Usage())
        if plan is None:
            return str(_("No plan at the moment: ask the people who run this site."))
        rows = (
            (_("messages per month"), usage.accepted, plan.messages_per_month),
            (_("channels"), usage.channels, plan.channels),
            (_("contacts"), usage.contacts, plan.contacts),
        )
        no_limit = _("no limit")
        lines = [
            plan.name,
            *(
                f"{name}: {_grouped(used)} / {no_limit if limit is None else _grouped(limit)}"
                for name, used, limit in rows
            ),
        ]
        return "\n".join(str(line) for line in lines)


def _grouped(number: int) -> str:
    return number_format(number, force_grouping=True)
