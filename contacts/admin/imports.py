"""Imports in the admin: upload, say what the columns hold, watch it, read what was not taken."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import organization_of, organization_site
from config.reasons import reason_said
from contacts.imports.columns import CUSTOM, TARGETS, key_of
from contacts.imports.files import ENCODINGS
from contacts.models import ContactImport, CustomField, Group, ImportProblem
from contacts.services.import_runs import problems_csv
from contacts.services.imports import (
    Sample,
    import_cancel,
    import_create,
    import_remove,
    import_reread,
    import_sample,
    import_start,
)
from tenants.errors import ServiceError

STATUS_COLOURS: Final = {
    "uploaded": "warning", "running": "info", "completed": "success", "cancelled": "default", "failed": "danger",
}  # fmt: skip
_PROBLEMS_SHOWN: Final = 20
_DELIMITERS: Final = [
    (",", gettext_lazy("Comma")),
    (";", gettext_lazy("Semicolon")),
    ("\t", gettext_lazy("Tab")),
    ("|", gettext_lazy("Vertical bar")),
]
Status = ContactImport.Status


class UploadForm(ServiceForm):
    """The file."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        help_text=gettext_lazy("CSV or XLSX; one row for each contact, with a column for the phone number."),
    )


class RereadForm(ServiceForm):
    """How the file is read, when it was not detected rightly."""

    encoding = forms.ChoiceField(label=gettext_lazy("Encoding"), choices=list(ENCODINGS.items()))
    delimiter = forms.ChoiceField(label=gettext_lazy("Separator"), choices=_DELIMITERS)
    has_header = forms.BooleanField(label=gettext_lazy("The first row names the columns"), required=False)


class MappingForm(ServiceForm):
    """What each column holds, and what becomes of people who are contacts already."""

    duplicates = forms.ChoiceField(
        label=gettext_lazy("People who are contacts already"), choices=ContactImport.Duplicates.choices
    )
    group = forms.ModelChoiceField(
        label=gettext_lazy("Everybody joins the group"), queryset=Group.objects.none(), required=False, empty_label="–"
    )
    country = forms.CharField(
        label=gettext_lazy("Country of numbers without a country code"),
        max_length=2,
        help_text=gettext_lazy("Two letters, such as BJ."),
    )
    remember_as = forms.CharField(
        label=gettext_lazy("Remember these columns as"),
        max_length=80,
        required=False,
        help_text=gettext_lazy("The next file with the same columns is then read like this."),
    )

    def __init__(self, *args: Any, contact_import: ContactImport, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].queryset = Group.objects.all()  # type: ignore[attr-defined]
        known = list(CustomField.objects.order_by("key"))
        for place, header in enumerate(contact_import.columns):
            choices = _target_choices(header, known)
            field = forms.ChoiceField(label=header, choices=choices, required=False)
            self.field_add(f"column_{place}", field)
        self._width = len(contact_import.columns)

    @property
    def mapping(self) -> list[str]:
        """For each column what it holds."""
        return [self.cleaned_data[f"column_{place}"] for place in range(self._width)]

    @property
    def column_fields(self) -> list[Any]:
        """The fields of the columns, in their order."""
        return [self[f"column_{place}"] for place in range(self._width)]

    @property
    def option_fields(self) -> list[Any]:
        """All other fields."""
        return [self[name] for name in ("duplicates", "group", "country", "remember_as")]


@admin.register(ContactImport, site=organization_site)
class ContactImportAdmin(ReadOnlyAdmin[ContactImport]):
    list_display = (
        "filename",
        "status_label",
        "rows_read",
        "rows_created",
        "rows_updated",
        "rows_failed",
        "created_at",
    )
    list_filter = ("status",)
    search_fields = ("filename",)
    ordering = ("-id",)
    fieldsets = (
        (
            gettext_lazy("Technical"),
            {"fields": ("encoding", "delimiter", "columns", "mapping", "public_id"), "classes": ("collapse",)},
        ),
    )
    readonly_fields = ("encoding", "delimiter", "columns", "mapping", "public_id")
    actions_detail = ("columns_choose", "problems", "cancel", "remove")
    empty_title = gettext_lazy("Nothing imported yet")
    empty_text = gettext_lazy("Upload a CSV or XLSX file with one row for each contact.")

    @property
    def add_label(self) -> str:
        return _("Import contacts")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.add_contactimport")

    @display(description=gettext_lazy("state"), label=STATUS_COLOURS)
    def status_label(self, obj: ContactImport) -> tuple[str, str]:
        return obj.status, str(obj.get_status_display())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/problems.csv", view(self.problems_view), name="contacts_contactimport_csv"),
            path("<int:pk>/reread/", view(self.reread_view), name="contacts_contactimport_reread"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(posted(request), request.FILES if request.method == "POST" else None)
        made: list[ContactImport] = []

        def run() -> str:
            upload = form.cleaned_data["file"]
            organization = organization_of(request)
            made.append(import_create(organization=organization, source=upload.file, filename=upload.name))
            return _("Uploaded. Nothing is imported yet: say what the columns hold.")

        answer = self.run_form(
            request,
            form=form,
            run=run,
            title=_("Import contacts"),
            submit=_("Upload"),
            text=_("You will see the first rows and choose what each column holds before anything is imported."),
        )
        return HttpResponseRedirect(self.page_url("columns_choose", made[0].pk)) if made else answer

    def has_choose_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not self.has_add_permission(request) or object_id is None:
            return False
        return self.object_or_404(request, str(object_id)).status == Status.UPLOADED

    @action(description=gettext_lazy("Choose columns"), url_path="columns", icon="view_column", permissions=["choose"])
    def columns_choose(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The mapping with the first rows beside it; starts the import."""
        contact_import = self.object_or_404(request, object_id)
        organization = organization_of(request)
        initial = {f"column_{place}": target for place, target in enumerate(contact_import.mapping)}
        initial |= {"country": organization.default_country, "duplicates": ContactImport.Duplicates.UPDATE}
        form = MappingForm(posted(request), contact_import=contact_import, initial=initial)
        try:
            sample = import_sample(contact_import=contact_import)
        except ServiceError as error:
            raise Http404(error.message) from error

        def run() -> str:
            given = form.cleaned_data
            import_start(
                organization=organization,
                import_id=contact_import.pk,
                mapping=form.mapping,
                duplicates=given["duplicates"],
                country=given["country"],
                group_id=given["group"].pk if given["group"] else None,
                remember_as=given["remember_as"],
            )
            return _("The import runs; this page shows how far it is.")

        return self.run_form(
            request,
            form=form,
            run=run,
            title=contact_import.filename,
            submit=_("Import"),
            back=self.page_url("change", contact_import.pk),
            template="admin/contact_import_columns.html",
            columns=_columns(form, sample),
            left_out=[header for header, target in zip(sample.columns, _chosen(form), strict=True) if not target],
            reread=RereadForm(initial=_reading(contact_import)),
            is_workbook=contact_import.format == ContactImport.Format.XLSX,
            reread_url=self.page_url("reread", contact_import.pk),
        )

    def reread_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Read the upload again with another encoding or separator, and back to the columns."""
        contact_import = self.object_or_404(request, str(pk))
        if not self.has_choose_permission(request, pk):
            raise PermissionDenied
        form = RereadForm(posted(request), initial=_reading(contact_import))

        def run() -> str:
            import_reread(import_id=pk, **form.cleaned_data)
            return _("Read again.")

        back = self.page_url("columns_choose", pk)
        return self.run_form(
            request, form=form, run=run, title=contact_import.filename, submit=_("Read again"), back=back
        )

    def has_problems_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if object_id is None or not self.has_view_permission(request):
            return False
        return bool(self.object_or_404(request, str(object_id)).rows_failed)

    @action(
        description=gettext_lazy("Rows with mistakes (CSV)"),
        url_path="mistakes",
        icon="download",
        permissions=["problems"],
    )
    def problems(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(self.page_url("csv", self.object_or_404(request, object_id).pk))

    def problems_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The rows that were not taken, with row, column and reason, line by line."""
        contact_import = self.object_or_404(request, str(pk))
        answer = StreamingHttpResponse(
            problems_csv(contact_import=contact_import), content_type="text/csv; charset=utf-8"
        )
        answer["Content-Disposition"] = f'attachment; filename="import-{contact_import.pk}-mistakes.csv"'
        return answer

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The import's page; `?part=1` answers only what renews itself."""
        if request.GET.get("part") == "1":
            context = _context(self.object_or_404(request, object_id))
            return TemplateResponse(request, "admin/contact_import_progress.html", context)
        return super().change_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        contact_import = context["original"]
        context |= _context(contact_import)
        context |= {
            "title": contact_import.filename,
            "subtitle": None,
            "part": "admin/contact_import_progress.html",
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("contacts.change_contactimport") or object_id is None:
            return False
        return self.object_or_404(request, str(object_id)).status == Status.RUNNING

    @action(description=gettext_lazy("Stop"), url_path="cancel", icon="cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        contact_import = self.object_or_404(request, object_id)

        def run() -> str:
            import_cancel(import_id=contact_import.pk)
            return _("Stopped. What is imported stays.")

        return self._confirm(
            request, contact_import, run, _("Stop this import"), _("Stop"), _("What is imported stays.")
        )

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("contacts.delete_contactimport") or object_id is None:
            return False
        return self.object_or_404(request, str(object_id)).status != Status.RUNNING

    @action(description=gettext_lazy("Remove"), url_path="remove", icon="delete", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        contact_import = self.object_or_404(request, object_id)

        def run() -> str:
            import_remove(import_id=contact_import.pk)
            return _("Removed.")

        text = _("The file and the list of its mistakes are removed. The contacts stay.")
        return self._confirm(
            request, contact_import, run, _("Remove this import"), _("Remove"), text, back="changelist"
        )

    def _confirm(
        self,
        request: HttpRequest,
        contact_import: ContactImport,
        run: Any,
        title: str,
        submit: str,
        text: str,
        back: str = "change",
    ) -> HttpResponse:
        arguments = [contact_import.pk] if back == "change" else []
        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=title,
            submit=submit,
            text=text,
            danger=True,
            back=self.page_url(back, *arguments),
        )


def _target_choices(header: str, known: list[CustomField]) -> list[tuple[str, Any]]:
    choices: list[tuple[str, Any]] = [("", _("Leave out")), *TARGETS.items()]
    choices += [(f"{CUSTOM}{field.key}", field) for field in known]
    new = key_of(header.lower().removeprefix(CUSTOM))
    if new and new not in {field.key for field in known}:
        choices.append((f"{CUSTOM}{new}", _("New field: %(key)s") % {"key": new}))
    return choices


def _columns(form: MappingForm, sample: Sample) -> list[tuple[str, Any, list[str]]]:
    """(header, field, the first values) for each column."""
    return [
        (header, field, [row[place] if place < len(row) else "" for row in sample.rows])
        for place, (header, field) in enumerate(zip(sample.columns, form.column_fields, strict=True))
    ]


def _chosen(form: MappingForm) -> list[str]:
    """What the form shows for each column, before it is sent and after."""
    return [str(field.value() or "") for field in form.column_fields]


def _reading(contact_import: ContactImport) -> dict[str, Any]:
    return {name: getattr(contact_import, name) for name in ("encoding", "delimiter", "has_header")}


def _context(contact_import: ContactImport) -> dict[str, Any]:
    return {
        "contact_import": contact_import,
        "status_colour": STATUS_COLOURS[contact_import.status],
        "reason": reason_said(contact_import.reason),
        "problem_rows": [
            (problem, _value_of(problem, contact_import), reason_said(problem.reason))
            for problem in contact_import.problems.order_by("row")[:_PROBLEMS_SHOWN]
        ],
    }


def _value_of(problem: ImportProblem, contact_import: ContactImport) -> str:
    """What the file says in the column of the mistake; "" when it is about several columns or the whole row."""
    if problem.column not in contact_import.columns:
        return ""
    place = contact_import.columns.index(problem.column)
    return str(problem.cells[place]) if place < len(problem.cells) else ""
