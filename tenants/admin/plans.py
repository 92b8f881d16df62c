"""Super-admins: plans, subscriptions and host names."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from config.admin_base import HistoryAdmin
from config.admin_decorators import display
from config.admin_sites import public_site
from tenants.models import Domain, Plan, Subscription


@admin.register(Plan, site=public_site)
class PlanAdmin(HistoryAdmin[Plan]):
    list_display = ("name", "code", "messages_limit", "users_limit", "channels_limit", "contacts_limit", "is_active")
    fieldsets = (
        (None, {"fields": ("name", "code", "is_active")}),
        (
            _("Limits"),
            {
                "fields": ("messages_per_month", "users", "channels", "contacts"),
                "description": _(
                    "An empty field means no limit. A change counts for all who have this plan, within a minute."
                ),
            },
        ),
    )
    empty_text = _("A plan says how much an organisation may use.")

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        """A plan that somebody has is withdrawn by "offered", not deleted."""
        return super().has_delete_permission(request, obj) and (obj is None or not obj.subscriptions.exists())

    @display(description=_("messages per month"), ordering="messages_per_month")
    def messages_limit(self, obj: Plan) -> Any:
        return _limit(obj.messages_per_month)

    @display(description=_("users"), ordering="users")
    def users_limit(self, obj: Plan) -> Any:
        return _limit(obj.users)

    @display(description=_("channels"), ordering="channels")
    def channels_limit(self, obj: Plan) -> Any:
        return _limit(obj.channels)

    @display(description=_("contacts"), ordering="contacts")
    def contacts_limit(self, obj: Plan) -> Any:
        return _limit(obj.contacts)


@admin.register(Subscription, site=public_site)
class SubscriptionAdmin(HistoryAdmin[Subscription]):
    list_display = ("organization", "plan", "starts_at", "ends_at")
    list_filter = ("plan",)
    list_select_related = ("organization", "plan")
    autocomplete_fields = ("organization",)
    search_fields = ("organization__name",)
    empty_text = _("A subscription gives an organisation a plan from a day on. The newest one that has begun counts.")


@admin.register(Domain, site=public_site)
class DomainAdmin(HistoryAdmin[Domain]):
    list_display = ("host", "organization", "primary")
    list_select_related = ("tenant",)
    search_fields = ("domain",)
    autocomplete_fields = ("tenant",)
    empty_text = _("A domain is a host name that leads to one organisation's admin.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Domain]:
        return super().get_queryset(request).order_by("domain")

    # Methods, because the fields are those of a library without translations.
    @display(description=_("domain"), ordering="domain")
    def host(self, obj: Domain) -> str:
        return str(obj.domain)

    @display(description=_("organisation"), ordering="tenant__name")
    def organization(self, obj: Domain) -> str:
        return str(obj.tenant)

    @display(description=_("main domain"), ordering="is_primary")
    def primary(self, obj: Domain) -> Any:
        return _("yes") if obj.is_primary else _("no")


def _limit(value: int | None) -> Any:
    return _("no limit") if value is None else value
