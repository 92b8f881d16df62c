"""Contacts: a list with filters, one form with the organisation's own fields, exports, actions on all that match."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import BigTableAdmin, HistoryAdmin, ReadOnlyInline
from config.admin_changelist import count_capped
from config.admin_decorators import action, display
from config.admin_forms import posted
from config.admin_sites import organization_of, organization_site
from config.spreadsheets import csv_lines, sheet_file
from contacts.admin.contact_forms import ContactForm, contact_initial
from contacts.admin.contact_lists import GroupFilter, LanguageFilter, SegmentFilter, StatusFilter, TagFilter, filter_of
from contacts.admin.jobs import JobForm
from contacts.exports import SHEET_CONTACTS, export_header, export_rows
from contacts.models import Contact, Identity
from contacts.services.contacts import DELETE_MOST, contact_create, contact_update, contacts_delete
from contacts.services.jobs import job_start
from messaging.admin.conversation import conversation_of
from messaging.admin.phone_search import address_query, pattern_query
from tenants.auth import capability_here, own_history_of

_CONVERSATION: Final = 50
_GROUPS_SHOWN: Final = 20
# A list of more is not counted to its end.
_COUNTED: Final = 100_000


class IdentityInline(ReadOnlyInline):
    model = Identity
    fields = ("kind", "value", "created_at")
    readonly_fields = fields
    verbose_name_plural = gettext_lazy("How providers know this person")


@admin.register(Contact, site=organization_site)
class ContactAdmin(HistoryAdmin[Contact], BigTableAdmin[Contact]):
    list_display = ("__str__", "phone_text", "email", "status_label", "primary_group", "tags_text", "last_seen_at")
    list_select_related = ("primary_group",)
    list_filter = (StatusFilter, GroupFilter, TagFilter, LanguageFilter, SegmentFilter)
    search_fields = ("phone",)
    search_help_text = gettext_lazy("Beginning of the phone, name or e-mail")
    fields = (
        "name", "phone_text", "email", "status", "primary_group", "groups_text", "tags_text", "language", "timezone",
        "custom_text", "public_id", "created_at", "last_seen_at",
    )  # fmt: skip
    readonly_fields = fields
    inlines = (IdentityInline,)
    actions_detail = ("write", "edit")
    actions_list = ("import_file", "export_csv", "export_xlsx", "all_matching")
    empty_title = gettext_lazy("No contact yet")
    empty_text = gettext_lazy("People who write to you appear here by themselves. You can also add them.")

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[Contact], term: str) -> QuerySet[Contact]:
        phone = address_query("phone", term, organization_of(request).default_country, begins_with=pattern_query)
        if phone is not None:
            return queryset.filter(phone)
        return queryset.filter(pk__in=Contact.objects.searched(term).order_by().values("pk"))

    @display(description=gettext_lazy("phone"))
    def phone_text(self, obj: Contact) -> str:
        return f"+{obj.phone}" if obj.phone else "–"

    @display(description=gettext_lazy("status"), label={"active": "success", "inactive": "default"})
    def status_label(self, obj: Contact) -> tuple[str, str]:
        return obj.status, str(obj.get_status_display())

    @display(description=gettext_lazy("tags"))
    def tags_text(self, obj: Contact) -> str:
        return ", ".join(obj.tags) or "–"

    @display(description=gettext_lazy("groups"))
    def groups_text(self, obj: Contact) -> str:
        names = obj.memberships.order_by("group__name").values_list("group__name", flat=True)[:_GROUPS_SHOWN]
        return ", ".join(names) or "–"

    @display(description=gettext_lazy("custom fields"))
    def custom_text(self, obj: Contact) -> str:
        return ", ".join(f"{key}: {value}" for key, value in sorted(obj.custom.items())) or "–"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("export/<str:form>/", view(self.export_view), name="contacts_contact_export"),
            path("all/", view(self.all_view), name="contacts_contact_all"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        organization = organization_of(request)
        form = ContactForm(posted(request), country=organization.default_country)
        made: list[Contact] = []

        def run() -> str:
            made.append(contact_create(organization=organization, **form.values()))
            self.log(request, made, ADDITION, _("Created."))
            return _("%(name)s is a contact now.") % {"name": made[0]}

        answer = self.run_form(request, form=form, run=run, title=_("New contact"), submit=_("Save"))
        return HttpResponseRedirect(self.page_url("change", made[0].pk)) if made else answer

    def has_edit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_change_permission(request)

    @action(description=gettext_lazy("Edit"), url_path="edit", icon="edit", permissions=["edit"])
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        contact = self.object_or_404(request, object_id)
        organization = organization_of(request)
        form = ContactForm(
            posted(request), contact=contact, country=organization.default_country, initial=contact_initial(contact)
        )

        def run() -> str:
            contact_update(organization=organization, contact_id=contact.pk, **form.values())
            self.log(request, [contact], CHANGE, _("Changed."))
            return _("Saved.")

        back = self.page_url("change", contact.pk)
        return self.run_form(request, form=form, run=run, title=str(contact), submit=_("Save"), back=back)

    def has_import_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("contacts.add_contactimport")

    @action(description=gettext_lazy("Import"), url_path="import", icon="upload", permissions=["import"])
    def import_file(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:contacts_contactimport_add"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and capability_here(request.user, "export_data")

    @action(description=gettext_lazy("Export CSV"), url_path="export-csv", icon="download", permissions=["export"])
    def export_csv(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(f"{self.page_url('export', 'csv')}?{_list_query(request)}")

    @action(description=gettext_lazy("Export XLSX"), url_path="export-xlsx", icon="table", permissions=["export"])
    def export_xlsx(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(f"{self.page_url('export', 'xlsx')}?{_list_query(request)}")

    def has_all_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("contacts.add_contactjob")

    @action(
        description=gettext_lazy("All that match…"), url_path="all-that-match", icon="checklist", permissions=["all"]
    )
    def all_matching(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(f"{self.page_url('all')}?{_list_query(request)}")

    def export_view(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """The contacts of the list with its filters, as CSV line by line or as a workbook."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        wanted = filter_of(request.GET)
        if form == "csv":
            lines = csv_lines(export_header(), export_rows(wanted))
            answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
            answer["Content-Disposition"] = 'attachment; filename="contacts.csv"'
            return answer
        if count_capped(wanted.contacts(), SHEET_CONTACTS) > SHEET_CONTACTS:
            text = _("These are more than %(most)s contacts: export them as CSV.") % {"most": SHEET_CONTACTS}
            messages.error(request, text)
            return HttpResponseRedirect(f"{self.page_url('changelist')}?{request.GET.urlencode()}")
        target = sheet_file(export_header(), export_rows(wanted), title="Contacts")
        return FileResponse(target, as_attachment=True, filename="contacts.xlsx")

    def all_view(self, request: HttpRequest) -> HttpResponse:
        """Choose what is done to everybody who matches; the workers do it."""
        if not self.has_all_permission(request):
            raise PermissionDenied
        wanted = filter_of(request.GET)
        form = JobForm(posted(request), may_delete=self.has_delete_permission(request))
        number = wanted.contacts().count_up_to(_COUNTED)
        shown = f"{number}" if number <= _COUNTED else _("more than %(count)s") % {"count": _COUNTED}
        started: list[int] = []

        def run() -> str:
            given = form.cleaned_data
            job = job_start(
                kind=given["kind"],
                filter=wanted,
                group_id=given["group"].pk if given["group"] else None,
                status=given["status"],
            )
            started.append(job.pk)
            return _("It is being done; this page shows how far it is.")

        answer = self.run_form(
            request,
            form=form,
            run=run,
            title=_("All contacts that match"),
            submit=_("Do it"),
            text=_("Contacts that match the filters of the list: %(number)s.") % {"number": shown},
            template="admin/contact_job_form.html",
            danger=True,
            back=f"{self.page_url('changelist')}?{request.GET.urlencode()}",
        )
        if started:
            return HttpResponseRedirect(reverse("admin:contacts_contactjob_change", args=started))
        return answer

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        contact = context["original"]
        context |= {
            "title": str(contact),
            "subtitle": None,
            "conversation": conversation_of(
                contact_id=contact.pk,
                limit=_CONVERSATION,
                organization_uuid=organization_of(request).uuid,
                membership_id=own_history_of(request.user),
            ),
            "conversation_cap": _CONVERSATION,
            "show_save": False,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """The same."""
        return super(HistoryAdmin, self).log_deletions(request, queryset)

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        contacts_delete(contact_ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        for start in range(0, len(ids), DELETE_MOST):
            contacts_delete(contact_ids=ids[start : start + DELETE_MOST])

    def has_write_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("messaging.add_message") or object_id is None:
            return False
        return bool(self.object_or_404(request, str(object_id)).phone)

    @action(description=gettext_lazy("Send a message"), url_path="write", icon="send", permissions=["write"])
    def write(self, request: HttpRequest, object_id: str) -> HttpResponse:
        contact = self.object_or_404(request, object_id)
        return HttpResponseRedirect(f"{reverse('admin:messaging_message_add')}?to=%2B{contact.phone}")


def _list_query(request: HttpRequest) -> str:
    """The filters of the list from which a button was pressed: buttons of lists have addresses without them."""
    return request.GET.urlencode() or urlsplit(request.headers.get("Referer", "")).query
