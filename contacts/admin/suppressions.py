"""Addresses that must not be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from config.admin_base import BigTableAdmin, HistoryAdmin
from config.admin_decorators import display
from config.admin_sites import organization_of, organization_site
from contacts.admin.phone_fields import phone_or_error
from contacts.models import Suppression
from contacts.services.suppressions import blacklist_payload
from messaging.admin.phone_search import address_query
from webhooks_app.services.events import event_publish

if TYPE_CHECKING:
    _SuppressionForm = forms.ModelForm[Suppression]
else:
    _SuppressionForm = forms.ModelForm


class SuppressionForm(_SuppressionForm):
    """Accepts a number as people write it."""

    address = forms.CharField(
        label=gettext_lazy("Phone number or provider's id"), max_length=160, widget=UnfoldAdminTextInputWidget
    )
    country = "BJ"

    class Meta:
        model = Suppression
        fields = ("address", "reason", "scope", "note")

    def clean_address(self) -> str:
        """Numbers are normalised like those of messages, or the list would miss them; ids stay as they are."""
        text = str(self.cleaned_data["address"]).strip()
        looks_like_phone = all(character in "+0123456789 ().-/" for character in text)
        return phone_or_error(text, self.country) if looks_like_phone else text


@admin.register(Suppression, site=organization_site)
class SuppressionAdmin(HistoryAdmin[Suppression], BigTableAdmin[Suppression]):
    form = SuppressionForm
    list_display = ("address", "reason_label", "scope", "note", "created_at")
    search_fields = ("address",)
    search_help_text = gettext_lazy("Phone number or its beginning")
    fields = ("address", "reason", "scope", "note")
    empty_title = gettext_lazy("Nobody is blocked")
    empty_text = gettext_lazy(
        "Numbers listed here are refused before anything is sent. People who opt out are added by themselves."
    )

    @property
    def add_label(self) -> str:
        return _("Block a number")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.country = organization_of(request).default_country  # type: ignore[attr-defined]
        return form

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[Suppression], term: str) -> QuerySet[Suppression]:
        phone = address_query("address", term, organization_of(request).default_country)
        return queryset.filter(phone if phone is not None else Q(address=term))

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change and obj.reason == Suppression.Reason.BLACKLIST:
            event_publish(type="blacklist.added", data={"blacklist": blacklist_payload(obj)}, key=obj.address)

    @display(description=gettext_lazy("reason"), label={"blacklist": "danger", "opt_out": "warning"})
    def reason_label(self, obj: Suppression) -> tuple[str, str]:
        return obj.reason, obj.get_reason_display()
