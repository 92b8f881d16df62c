"""Segments: rules put together by clicking, or written as text; how many match is shown while they are changed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.services.recording import audit_record
from config.admin_base import HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import organization_site
from config.reasons import reason_said
from contacts.admin.segment_catalogue import segment_catalogue, segment_words
from contacts.models import Segment
from contacts.segments import segment_compile
from contacts.services.custom_fields import field_rules
from contacts.services.segments import contacts_count, segment_save
from tenants.errors import InvalidInput

_CAP: Final = 10_000
# Whoever composes rules waits no longer than this for their count.
_SECONDS: Final = 5.0
_NEW: Final = {"all": [{"field": "status", "op": "is", "value": "active"}]}


class SegmentForm(ServiceForm):
    """A name, and rules as JSON, which the page's script shows as lines to click together."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    description = forms.CharField(label=gettext_lazy("Description"), max_length=300, required=False)
    rules = forms.CharField(
        label=gettext_lazy("Rules"),
        max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
        help_text=gettext_lazy('Such as {"all": [{"field": "status", "op": "is", "value": "active"}]}'),
    )

    def clean_rules(self) -> Any:
        rules = _parsed(self.cleaned_data["rules"])
        try:
            segment_compile(rules, custom=field_rules())
        except InvalidInput as error:
            problems = [f"{where} {reason_said(reason)}" for where, reason in error.fields.items()]
            raise forms.ValidationError(problems) from error
        return rules


@admin.register(Segment, site=organization_site)
class SegmentAdmin(HistoryAdmin[Segment], ReadOnlyAdmin[Segment]):
    list_display = ("name", "description", "created_at")
    search_fields = ("name",)
    ordering = ("name", "id")
    fields = ("name", "description", "rules_text", "number", "public_id")
    readonly_fields = fields
    actions_detail = ("edit", "members", "remove")
    empty_title = gettext_lazy("No segment yet")
    empty_text = gettext_lazy(
        "A segment is a saved filter: whoever matches at the moment of sending gets the campaign."
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.add_segment")

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview_view)
        return [path("preview/", preview, name="contacts_segment_preview"), *super().get_urls()]

    def rules_text(self, obj: Segment) -> str:
        return self._shown(obj)[0]

    rules_text.short_description = gettext_lazy("rules")  # type: ignore[attr-defined]

    def number(self, obj: Segment) -> str:
        return self._shown(obj)[1]

    number.short_description = gettext_lazy("contacts now")  # type: ignore[attr-defined]

    def _shown(self, obj: Segment) -> tuple[str, str]:
        """The rules and the number of those who match, found once for a page, which asks for its fields many times."""
        known: tuple[str, str] | None = getattr(obj, "shown_on_page", None)
        if known is None:
            lines = ((f"{depth * 1.25}rem", line) for depth, line in segment_words(obj.rules))
            html = format_html_join("", '<div style="margin-left: {}">{}</div>', lines)
            known = obj.shown_on_page = (html, _counted(obj.rules).text)  # type: ignore[attr-defined]
        return known

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """How many contacts match the rules that are being written, or what is wrong with them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rules = _parsed(request.POST.get("rules", ""))
        except forms.ValidationError as error:
            return JsonResponse({"ok": False, "text": " ".join(error.messages), "problems": {}})
        return JsonResponse(asdict(_counted(rules)))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._save(request, None)

    def has_edit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("contacts.change_segment")

    @action(description=gettext_lazy("Edit"), url_path="edit", icon="edit", permissions=["edit"])
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._save(request, self.object_or_404(request, object_id))

    def has_members_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("contacts.view_contact")

    @action(description=gettext_lazy("Contacts"), url_path="contacts", icon="contacts", permissions=["members"])
    def members(self, request: HttpRequest, object_id: str) -> HttpResponse:
        segment = self.object_or_404(request, object_id)
        return HttpResponseRedirect(f"{reverse('admin:contacts_contact_changelist')}?segment={segment.pk}")

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("contacts.delete_segment")

    @action(description=gettext_lazy("Remove"), url_path="remove", icon="delete", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        segment = self.object_or_404(request, object_id)

        def run() -> str:
            self.log(request, [segment], DELETION, _("Removed."))
            audit_record(action="segment.deleted", subject=segment, old={"name": segment.name, "rules": segment.rules})
            segment.delete()
            return _("Removed.")

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Remove this segment"),
            submit=_("Remove"),
            text=_("Contacts stay. Campaigns that go to this segment can no longer be launched."),
            danger=True,
        )

    def _save(self, request: HttpRequest, segment: Segment | None) -> HttpResponse:
        rules = segment.rules if segment is not None else _NEW
        initial = {"rules": json.dumps(rules, ensure_ascii=False, indent=1)}
        if segment is not None:
            initial |= {"name": segment.name, "description": segment.description}
        form = SegmentForm(posted(request), initial=initial)
        saved: list[Segment] = []

        def run() -> str:
            given = form.cleaned_data
            saved.append(
                segment_save(
                    name=given["name"],
                    rules=given["rules"],
                    description=given["description"],
                    segment_id=segment.pk if segment is not None else None,
                )
            )
            old = None if segment is None else {"name": segment.name, "rules": segment.rules}
            audit_record(
                action="segment.created" if segment is None else "segment.updated",
                subject=saved[0],
                old=old,
                new={"name": saved[0].name, "rules": saved[0].rules},
            )
            self.log(request, saved, ADDITION if segment is None else CHANGE, _("Saved."))
            return _("Saved.")

        answer = self.run_form(
            request,
            form=form,
            run=run,
            title=segment.name if segment is not None else _("New segment"),
            submit=_("Save"),
            template="admin/segment_form.html",
            catalogue=segment_catalogue(),
            preview_url=self.page_url("preview"),
        )
        return HttpResponseRedirect(self.page_url("change", saved[0].pk)) if saved else answer


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise forms.ValidationError(_("These rules are no JSON: %(error)s") % {"error": str(error)[:200]}) from error


@dataclass(frozen=True, slots=True)
class Counted:
    """How many match in words, or what is wrong; `problems`: place in the rules -> reason."""

    ok: bool
    text: str
    problems: dict[str, str] = field(default_factory=dict)


def _counted(rules: Any) -> Counted:
    try:
        number = contacts_count(condition=segment_compile(rules, custom=field_rules()), cap=_CAP, seconds=_SECONDS)
    except InvalidInput as error:
        problems = {where: reason_said(reason) for where, reason in error.fields.items()}
        return Counted(False, _("These rules cannot be used yet."), problems)
    if number is None:
        return Counted(True, _("These rules can be used; counting the contacts takes too long to wait for it here."))
    if number > _CAP:
        return Counted(True, _("More than %(count)s contacts") % {"count": number_format(_CAP, force_grouping=True)})
    text = ngettext("%(count)s contact", "%(count)s contacts", number)
    return Counted(True, text % {"count": number_format(number, force_grouping=True)})
