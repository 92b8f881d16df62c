"""Actions on all contacts that match: what is being done, and how far it is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import organization_site
from contacts.models import Contact, ContactJob, Group
from contacts.services.jobs import job_cancel

STATUS_COLOURS = {"running": "info", "completed": "success", "cancelled": "default", "failed": "danger"}
Kind = ContactJob.Kind


class JobForm(ServiceForm):
    """What is done to everybody who matches."""

    kind = forms.ChoiceField(label=gettext_lazy("Action"), choices=[])
    group = forms.ModelChoiceField(
        label=gettext_lazy("Group"), queryset=Group.objects.none(), required=False, empty_label="–"
    )
    status = forms.ChoiceField(
        label=gettext_lazy("Status"), choices=[("", "–"), *Contact.Status.choices], required=False
    )

    def __init__(self, *args: Any, may_delete: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].queryset = Group.objects.all()  # type: ignore[attr-defined]
        kinds = [choice for choice in Kind.choices if may_delete or choice[0] != Kind.DELETE]
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]
        self.fields["kind"].widget.choices = kinds


@admin.register(ContactJob, site=organization_site)
class ContactJobAdmin(ReadOnlyAdmin[ContactJob]):
    list_display = ("__str__", "status_label", "looked_at", "changed", "created_at", "finished_at")
    ordering = ("-id",)
    fieldsets = ((gettext_lazy("Technical"), {"fields": ("filter", "value", "public_id"), "classes": ("collapse",)}),)
    readonly_fields = ("filter", "value", "public_id")
    actions_detail = ("cancel",)
    empty_title = gettext_lazy("Nothing was done to many contacts at once yet")
    empty_text = gettext_lazy("Filter the list of contacts and choose “All that match”.")

    @display(description=gettext_lazy("state"), label=STATUS_COLOURS)
    def status_label(self, obj: ContactJob) -> tuple[str, str]:
        return obj.status, str(obj.get_status_display())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The job's page; `?part=1` answers only what renews itself."""
        if request.GET.get("part") == "1":
            context = _context(self.object_or_404(request, object_id))
            return TemplateResponse(request, "admin/contact_job_progress.html", context)
        return super().change_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        job = context["original"]
        context |= _context(job) | {"title": str(job), "subtitle": None, "part": "admin/contact_job_progress.html"}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("contacts.change_contactjob") or object_id is None:
            return False
        return self.object_or_404(request, str(object_id)).status == ContactJob.Status.RUNNING

    @action(description=gettext_lazy("Stop"), url_path="cancel", icon="cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self.object_or_404(request, object_id)

        def run() -> str:
            job_cancel(job_id=job.pk)
            return _("Stopped. What was done stays done.")

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Stop this action"),
            submit=_("Stop"),
            text=_("What was done stays done."),
            danger=True,
            back=self.page_url("change", job.pk),
        )


def _context(job: ContactJob) -> dict[str, Any]:
    percent = 100.0 if job.status == ContactJob.Status.COMPLETED else 100.0 * job.cursor / max(job.last_id, 1)
    return {"job": job, "status_colour": STATUS_COLOURS[job.status], "percent": percent}
