"""The audit log: what was changed, by whom, from where, with the values before and after."""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.models import AuditEntry
from audit.services.sealing import BATCH, chain_verify, entries_seal
from config.admin_base import BigTableAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, posted
from config.admin_sites import organization_site, public_site


class ActionFilter(admin.SimpleListFilter):
    """The actions that occur in the newest entries: a list of all would read the whole table."""

    title = gettext_lazy("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        recent = AuditEntry.objects.order_by("-id").values_list("action", flat=True)[:2000]
        return [(name, name) for name in sorted({*recent, *filter(None, [self.value()])})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEntry, site=public_site)
@admin.register(AuditEntry, site=organization_site)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry], BigTableAdmin[AuditEntry]):
    list_display = ("created_at", "action", "object_text", "actor_text", "address", "sealed")
    list_filter = (ActionFilter,)
    search_fields = ("object_id",)
    search_help_text = gettext_lazy("Action (contact.updated), or type and id of an object (contacts.contact 12)")
    fields = (
        "created_at", "action", "object_text", "actor_text", "membership_id", "address", "agent", "request_id",
        "changes", "position", "hash",
    )  # fmt: skip
    readonly_fields = fields
    actions_list = ("verify",)
    empty_title = gettext_lazy("Nothing has been changed yet")
    empty_text = gettext_lazy("Every change by people, API keys and the system itself is listed here.")

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[AuditEntry], term: str) -> QuerySet[AuditEntry]:
        words = term.split()
        if len(words) == 2:
            return queryset.filter(object_type=words[0].lower(), object_id=words[1])
        return queryset.filter(action=term.lower())

    @display(description=gettext_lazy("object"))
    def object_text(self, obj: AuditEntry) -> str:
        try:
            kind = str(apps.get_model(obj.object_type)._meta.verbose_name)
        except (LookupError, ValueError):
            kind = obj.object_type
        return f"{kind} {obj.object_label or obj.object_id}"

    @display(description=gettext_lazy("by"))
    def actor_text(self, obj: AuditEntry) -> str:
        return f"{obj.get_actor_kind_display()} {obj.actor_label}".strip()

    @display(description=gettext_lazy("in the chain"), label={True: "success", False: "default"})
    def sealed(self, obj: AuditEntry) -> tuple[bool, str]:
        return obj.position is not None, _("Sealed") if obj.position is not None else _("In a moment")

    @display(description=gettext_lazy("before and after"))
    def changes(self, obj: AuditEntry) -> str:
        return format_html(
            '<pre class="whitespace-pre-wrap">− {}\n+ {}</pre>', _readable(obj.old_values), _readable(obj.new_values)
        )

    def has_verify_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_view_permission(request)

    @action(description=gettext_lazy("Check the chain"), url_path="verify", icon="verified", permissions=["verify"])
    def verify(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = ConfirmForm(posted(request))

        def run() -> str:
            while entries_seal() == BATCH:
                pass
            found = chain_verify()
            if found is not None:
                form.add_error(
                    None,
                    _("The chain is broken at place %(place)s: %(reason)s")
                    % {"place": found.position, "reason": found.reason},
                )
            return _("No entry has been altered or removed.")

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Check the chain"),
            submit=_("Check"),
            text=_(
                "Reads the whole log and says where it was altered, if it was. With many entries this takes a while."
            ),
        )


def _readable(values: Any) -> str:
    return "–" if values is None else json.dumps(values, ensure_ascii=False, indent=2, sort_keys=True)
