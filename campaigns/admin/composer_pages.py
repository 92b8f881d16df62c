"""The pages that compose a campaign: the form, what it shows beside itself, what it looks up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.admin.composer import ComposerForm
from campaigns.admin.composer_initial import composer_initial
from campaigns.admin.composer_preview import composer_preview
from campaigns.admin.text_templates import text_viewer
from campaigns.models import Campaign
from campaigns.services.text_templates import text_template_get
from config.admin_base import HistoryAdmin
from config.admin_decorators import action
from config.admin_forms import posted
from config.admin_sites import organization_of
from contacts.admin.phone_fields import contact_line
from contacts.models import Contact
from messaging.admin.phone_search import address_query, pattern_query
from tenants.errors import NotFound

MAY_CHANGE: Final = "campaigns.change_campaign"
_FOUND: Final = 10


class ComposerPages(HistoryAdmin[Campaign]):
    """Adding and changing campaigns."""

    def composer_urls(self, view: Callable[..., Any]) -> list[URLPattern]:
        """What the composer's script asks for."""
        return [
            path("preview/", view(self.preview_view), name="campaigns_campaign_preview"),
            path("texts/<int:pk>/", view(self.text_view), name="campaigns_campaign_text"),
            path("contacts/", view(self.contacts_view), name="campaigns_campaign_contacts"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.add_campaign")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"zone": organization_of(request).time_zone, "audience_kind": Campaign.Audience.ALL}
        return self._compose(request, None, initial)

    @action(description=gettext_lazy("Change"), url_path="edit", icon="edit", permissions=["edit"])
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.object_or_404(request, object_id)
        return self._compose(request, campaign, composer_initial(campaign))

    def _compose(self, request: HttpRequest, campaign: Campaign | None, initial: dict[str, Any]) -> HttpResponse:
        form = ComposerForm(
            posted(request),
            initial=initial,
            campaign=campaign,
            country=organization_of(request).default_country,
            viewer=text_viewer(request),
        )
        back = self.page_url("change", campaign.pk) if campaign else self.page_url("changelist")
        if request.method == "POST" and form.is_valid():
            saved: list[Campaign] = []
            with form.service_errors():
                saved.append(form.save(organization=organization_of(request), user_id=request.user.pk))
            if saved and form.is_valid():
                text = _("Changed.") if campaign else _("Created.")
                self.log(request, saved, CHANGE if campaign else ADDITION, text)
                messages.success(request, _("Saved. Nothing is sent before you launch it or its schedule does."))
                return HttpResponseRedirect(self.page_url("change", saved[0].pk))
        return self.form_page(
            request,
            form=form,
            title=_("Change the campaign") if campaign else _("New campaign"),
            submit=_("Save"),
            back=back,
            template="admin/campaign_composer.html",
        )

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the form beside it would send and when. Needs the right to compose."""
        if not (self.has_add_permission(request) or request.user.has_perm(MAY_CHANGE)):
            raise PermissionDenied
        return TemplateResponse(request, "admin/campaign_preview.html", composer_preview(request.POST))

    def text_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The text of a template that a composer begins with."""
        if not (self.has_add_permission(request) or request.user.has_perm(MAY_CHANGE)):
            raise PermissionDenied
        try:
            template = text_template_get(template_id=pk, viewer=text_viewer(request))
        except NotFound as error:
            raise Http404(_("No such object here.")) from error
        return JsonResponse({"text": template.content})

    def contacts_view(self, request: HttpRequest) -> HttpResponse:
        """Contacts whose phone, name or e-mail begins with `?q=`, as lines of the composer's field."""
        may_compose = self.has_add_permission(request) or request.user.has_perm(MAY_CHANGE)
        if not (may_compose and request.user.has_perm("contacts.view_contact")):
            raise PermissionDenied
        term = request.GET.get("q", "").replace("\x00", "")[:160].strip()
        phone = address_query("phone", term, organization_of(request).default_country, begins_with=pattern_query)
        rows = Contact.objects.filter(phone) if phone is not None else Contact.objects.searched(term)
        found = rows.order_by("-id")[:_FOUND] if term else []
        return JsonResponse({"lines": [contact_line(contact) for contact in found]})
