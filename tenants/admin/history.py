"""The admin's own history, on both sites; each schema has its own table, so an organisation sees only its own."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from config.admin_base import BigTableAdmin, ReadOnlyAdmin
from config.admin_decorators import display
from config.admin_sites import organization_site, public_site
from tenants.models import User


@admin.register(LogEntry, site=public_site)
@admin.register(LogEntry, site=organization_site)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry], BigTableAdmin[LogEntry]):
    list_display = ("action_time", "user", "what", "kind", "object_link", "change")
    list_display_links = None
    list_select_related = ("user", "content_type")
    search_fields = ("user",)
    search_help_text = _("E-mail of the person, exactly")
    fields = ("action_time", "user", "what", "kind", "object_repr", "change")
    empty_title = _("Nothing has been changed yet")
    empty_text = _("Every change that a person makes in this admin is listed here.")

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[LogEntry], term: str) -> QuerySet[LogEntry]:
        return queryset.filter(user_id__in=list(User.objects.filter(email__iexact=term).values_list("pk", flat=True)))

    @display(description=_("action"), label={1: "success", 2: "info", 3: "danger"})
    def what(self, obj: LogEntry) -> tuple[int, str]:
        return obj.action_flag, obj.get_action_flag_display()

    @display(description=_("kind"))
    def kind(self, obj: LogEntry) -> str:
        return str(obj.content_type.name) if obj.content_type else "–"

    @display(description=_("object"))
    def object_link(self, obj: LogEntry) -> str:
        url = obj.get_admin_url()
        return format_html('<a class="text-link" href="{}">{}</a>', url, obj.object_repr) if url else obj.object_repr

    @display(description=_("change"))
    def change(self, obj: LogEntry) -> str:
        return obj.get_change_message()
