"""How long data is kept: an organisation's own page, and the super-admins' grants and runs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from config.admin_base import BigTableAdmin, HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import display
from config.admin_forms import ServiceForm, posted
from config.admin_sites import organization_of, organization_site, public_site
from tenants.admin.scoped import ScopedAdmin
from tenants.models import Organization, RetentionPeriod, RetentionState
from tenants.services.organizations import customer_organizations
from tenants.services.retention import (
    MAX_DAYS,
    Period,
    retention_next,
    retention_periods,
    retention_reset,
    retention_set,
)
from tenants.services.retention_rules import retention_rules

SetBy = RetentionPeriod.SetBy


def days_text(days: int | None) -> str:
    """A period in words."""
    if days is None:
        return _("for ever")
    return ngettext("%(count)s day", "%(count)s days", days) % {"count": number_format(days, force_grouping=True)}


class ChoiceForm(ServiceForm):
    """An organisation's own period; empty: what the platform grants."""

    days = forms.IntegerField(label=gettext_lazy("Days"), required=False, min_value=1, max_value=MAX_DAYS)

    def __init__(self, *args: Any, period: Period, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["days"].help_text = _("From %(least)s days on; empty: as the platform keeps it (%(granted)s).") % {
            "least": period.rule.floor_days,
            "granted": days_text(period.granted),
        }


class GrantForm(ServiceForm):
    """What a super-admin grants one organisation."""

    organization = forms.ModelChoiceField(label=gettext_lazy("Organisation"), queryset=Organization.objects.none())
    kind = forms.ChoiceField(label=gettext_lazy("Data"))
    days = forms.IntegerField(
        label=gettext_lazy("Days"),
        required=False,
        min_value=1,
        max_value=MAX_DAYS,
        help_text=gettext_lazy("Empty: for ever. The organisation may choose fewer."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].queryset = customer_organizations()  # type: ignore[attr-defined]
        self.fields["kind"].choices = kind_choices()  # type: ignore[attr-defined]


def kind_choices() -> list[tuple[str, Any]]:
    """Kinds of data of organisations, with the platform's default."""
    return [
        (rule.kind, f"{rule.label} ({days_text(settings.RETENTION_DAYS[rule.kind])})")
        for rule in retention_rules(public=False)
    ]


@admin.register(RetentionPeriod, site=organization_site)
class OwnPeriodsAdmin(ScopedAdmin[RetentionPeriod]):
    """One page that says what is kept how long; each line can be changed within what the platform grants."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.set_view)
        own = [path("set/<slug:kind>/", view, name="tenants_retentionperiod_set")]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        organization = organization_of(request)
        states = {state.kind: state for state in RetentionState.objects.filter(schema=organization.schema_name)}
        rows = [
            {
                "period": period,
                "kept": days_text(period.days),
                "granted": days_text(period.granted),
                "state": states.get(period.rule.kind),
                "url": self.page_url("set", period.rule.kind),
            }
            for period in retention_periods(organization_id=organization.pk)
        ]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("What is kept how long"),
            "rows": rows,
            "next_at": retention_next(schema=organization.schema_name),
            "may_change": request.user.has_perm("tenants.change_retentionperiod"),
        }
        return TemplateResponse(request, "admin/retention.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.set_view(request, self.object_or_404(request, object_id).kind)

    def set_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """The form of one kind of data."""
        if not request.user.has_perm("tenants.change_retentionperiod"):
            raise PermissionDenied
        organization = organization_of(request)
        periods = retention_periods(organization_id=organization.pk)
        period = next((item for item in periods if item.rule.kind == kind), None)
        if period is None:
            raise Http404(_("No such object here."))
        form = ChoiceForm(posted(request), period=period, initial={"days": period.own if period.chosen else None})

        def run() -> str:
            days = form.cleaned_data["days"]
            if days is None:
                retention_reset(organization=organization, kind=kind, set_by=SetBy.ORGANIZATION)
            else:
                retention_set(organization=organization, kind=kind, set_by=SetBy.ORGANIZATION, days=days)
            now = next(item for item in retention_periods(organization_id=organization.pk) if item.rule.kind == kind)
            told = _("%(data)s: kept for %(days)s.") if now.days is not None else _("%(data)s: kept %(days)s.")
            text = told % {"data": period.rule.label, "days": days_text(now.days)}
            self.log(request, [organization], CHANGE, text)
            return text

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("How long to keep: %(data)s") % {"data": period.rule.label},
            submit=_("Save"),
            text=_("%(text)s\nWhat is older is removed in the coming night, for good. Until then you can undo this.")
            % {"text": period.rule.text},
        )


def kind_text(kind: str) -> str:
    """What the data of `kind` is called; the kind itself for one that is no longer known."""
    rules = (*retention_rules(public=True), *retention_rules(public=False))
    return next((str(rule.label) for rule in rules if rule.kind == kind), kind)


class KindFilter(admin.SimpleListFilter):
    """By kind of data."""

    title = gettext_lazy("data")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        rules = [*retention_rules(public=True), *retention_rules(public=False)]
        return [(rule.kind, rule.label) for rule in rules]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(RetentionPeriod, site=public_site)
class GrantAdmin(HistoryAdmin[RetentionPeriod], ReadOnlyAdmin[RetentionPeriod]):
    list_display = ("organization", "data", "set_by", "kept", "changed_at")
    list_filter = (KindFilter, "set_by")
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name")
    fields = ("organization", "data", "set_by", "kept", "changed_at")
    empty_title = gettext_lazy("Everybody has the defaults")
    empty_text = gettext_lazy(
        "The defaults are set by RETENTION_DAYS. Here an organisation is granted more or fewer days, "
        "and what organisations have chosen for themselves is listed."
    )

    @property
    def add_label(self) -> str:
        return _("Grant a period")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    @display(description=gettext_lazy("data"), ordering="kind")
    def data(self, obj: RetentionPeriod) -> str:
        return kind_text(obj.kind)

    @display(description=gettext_lazy("kept"))
    def kept(self, obj: RetentionPeriod) -> str:
        return days_text(obj.days)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = GrantForm(posted(request))

        def run() -> str:
            given = form.cleaned_data
            retention_set(set_by=SetBy.PLATFORM, **given)
            text = f"{given['kind']}: {days_text(given['days'])}"
            self.log(request, [given["organization"]], CHANGE, text)
            return f"{given['organization']}, {text}"

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Grant a period"),
            submit=_("Save"),
            text=_("In force from the organisation's next run on, which is in the coming night of its time zone."),
        )

    def delete_model(self, request: HttpRequest, obj: RetentionPeriod) -> None:
        retention_reset(organization=obj.organization, kind=obj.kind, set_by=obj.set_by)


@admin.register(RetentionState, site=public_site)
class RetentionStateAdmin(ReadOnlyAdmin[RetentionState], BigTableAdmin[RetentionState]):
    list_display = ("schema", "data", "started_at", "finished_at", "removed", "removed_total")
    list_filter = (KindFilter,)
    search_fields = ("schema",)
    search_help_text = gettext_lazy("Schema, exactly")
    fields = ("schema", "data", "started_at", "finished_at", "removed", "removed_total", "next_run", "position")
    empty_title = gettext_lazy("Nothing was removed yet")
    empty_text = gettext_lazy("Old data is removed at night. The agenda says when it is whose turn (kind: retention).")

    def search_indexed(
        self, request: HttpRequest, queryset: QuerySet[RetentionState], term: str
    ) -> QuerySet[RetentionState]:
        return queryset.filter(schema=term)

    @display(description=gettext_lazy("data"))
    def data(self, obj: RetentionState) -> str:
        return kind_text(obj.kind)

    @display(description=gettext_lazy("next run"))
    def next_run(self, obj: RetentionState) -> Any:
        return retention_next(schema=obj.schema) or "–"
