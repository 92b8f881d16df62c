"""Text templates: texts with variables, to use again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.admin.composer_preview import text_preview
from campaigns.models import MarketingTemplate
from campaigns.services.text_templates import (
    CONTENT_LENGTH,
    templates_of,
    text_template_create,
    text_template_delete,
    text_template_update,
)
from config.admin_base import HistoryAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import organization_site
from messaging.sms_text import text_cost
from tenants.auth import membership_of, role_here
from tenants.connection import connection
from tenants.models import Membership

_FORM = "admin/text_template_form.html"
_SEE_ALL = frozenset({Membership.Role.OWNER, Membership.Role.ADMIN})


class TextTemplateForm(ServiceForm):
    """A template; its text may hold variables."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    category = forms.ChoiceField(label=gettext_lazy("Category"), choices=MarketingTemplate.Category.choices)
    content = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=CONTENT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy(
            "{nom}, {prenom}, {email}, {telephone} and {custom.field} are filled in for each contact; {prenom|client} "
            "says what stands there when it is not known."
        ),
    )
    is_public = forms.BooleanField(
        label=gettext_lazy("For everybody"),
        required=False,
        help_text=gettext_lazy("Everybody in the organisation may use it; otherwise only you, and administrators."),
    )


@admin.register(MarketingTemplate, site=organization_site)
class MarketingTemplateAdmin(HistoryAdmin[MarketingTemplate]):
    list_display = ("name", "category_label", "beginning", "visibility", "usage_count", "updated_at")
    list_filter = ("category", "is_public")
    search_fields = ("name__istartswith",)
    search_help_text = gettext_lazy("Beginning of the name")
    ordering = ("-id",)
    fields = ("name", "category_label", "content", "cost", "visibility", "usage_count", "created_at", "updated_at")
    readonly_fields = fields
    actions_detail = ("edit", "remove")
    empty_title = gettext_lazy("No text template yet")
    empty_text = gettext_lazy("Texts that you send again and again, with the names of your contacts filled in.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[MarketingTemplate]:
        return super().get_queryset(request) & templates_of(viewer=text_viewer(request)).order_by()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Changes go through the form below, which checks the variables."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("category"), ordering="category", label=True)
    def category_label(self, obj: MarketingTemplate) -> str:
        return str(obj.get_category_display())

    @display(description=gettext_lazy("text"))
    def beginning(self, obj: MarketingTemplate) -> str:
        return obj.content if len(obj.content) <= 80 else f"{obj.content[:79]}…"

    @display(description=gettext_lazy("visible"), label={"all": "success", "own": "default"})
    def visibility(self, obj: MarketingTemplate) -> tuple[str, str]:
        return ("all", _("to everybody")) if obj.is_public else ("own", _("to its maker and administrators"))

    @display(description=gettext_lazy("as SMS"))
    def cost(self, obj: MarketingTemplate) -> str:
        found = text_cost(obj.content)
        return _("%(segments)d SMS with the variables as they stand (%(encoding)s)") % {
            "segments": found.segments,
            "encoding": "GSM 7-bit" if found.encoding == "gsm7" else "UCS-2",
        }

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview_view)
        return [path("preview/", preview, name="campaigns_marketingtemplate_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What one contact would read. Needs the right to make templates or to change them."""
        if not (self.has_add_permission(request) or self.has_edit_permission(request)):
            raise PermissionDenied
        context = text_preview(request.POST.get("content", "")[:CONTENT_LENGTH])
        return TemplateResponse(request, "admin/campaign_preview.html", context)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TextTemplateForm(posted(request))
        made: list[MarketingTemplate] = []

        def run() -> str:
            membership = _membership(request)
            template = text_template_create(
                **form.cleaned_data, membership_id=membership.pk if membership is not None else None
            )
            made.append(template)
            self.log(request, made, ADDITION, _("Created."))
            return _("Saved.")

        answer = self.run_form(
            request, form=form, run=run, title=_("New text template"), submit=_("Save"), template=_FORM
        )
        return HttpResponseRedirect(self.page_url("change", made[0].pk)) if made else answer

    def has_edit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("campaigns.change_marketingtemplate")

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("campaigns.delete_marketingtemplate")

    @action(description=gettext_lazy("Change"), url_path="edit", icon="edit", permissions=["edit"])
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        template = self.object_or_404(request, object_id)
        names = ("name", "category", "content", "is_public")
        form = TextTemplateForm(posted(request), initial={name: getattr(template, name) for name in names})

        def run() -> str:
            text_template_update(template_id=template.pk, viewer=text_viewer(request), **form.cleaned_data)
            self.log(request, [template], CHANGE, _("Changed."))
            return _("Saved.")

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Change %(name)s") % {"name": template.name},
            submit=_("Save"),
            template=_FORM,
            back=self.page_url("change", template.pk),
        )

    @action(description=gettext_lazy("Delete"), url_path="remove", icon="delete", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        template = self.object_or_404(request, object_id)

        def run() -> str:
            self.log(request, [template], DELETION, _("Deleted."))
            text_template_delete(template_id=template.pk, viewer=text_viewer(request))
            return _("%(name)s is deleted.") % {"name": template.name}

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Delete %(name)s") % {"name": template.name},
            submit=_("Delete"),
            danger=True,
            text=_("What was sent with it stays."),
        )


def _membership(request: HttpRequest) -> Membership | None:
    user: Any = request.user
    return membership_of(user, connection.schema_name)


def text_viewer(request: HttpRequest) -> int | None:
    """Whose private templates are shown: None for all."""
    if role_here(request.user) in _SEE_ALL:
        return None
    membership = _membership(request)
    return membership.pk if membership is not None else 0
