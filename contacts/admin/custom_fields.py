"""The organisation's own fields of contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from config.admin_base import HistoryAdmin
from config.admin_sites import organization_site
from contacts.imports.columns import key_of
from contacts.models import CustomField
from contacts.services.custom_fields import MAX_FIELDS

if TYPE_CHECKING:
    _CustomFieldForm = forms.ModelForm[CustomField]
else:
    _CustomFieldForm = forms.ModelForm
_CHOICES_MOST = 100


class ChoicesField(forms.CharField):
    """The values of a list, one in a line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(item) for item in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = list(dict.fromkeys(line.strip() for line in str(super().clean(value)).splitlines() if line.strip()))
        if len(lines) > _CHOICES_MOST or any(len(line) > 100 for line in lines):
            raise forms.ValidationError(_("At most %(most)s lines of 100 characters.") % {"most": _CHOICES_MOST})
        return lines

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), str(data or "").replace("\r\n", "\n").strip())


class CustomFieldForm(_CustomFieldForm):
    """A definition; a list needs its values."""

    label = forms.CharField(
        label=gettext_lazy("Label"),
        max_length=80,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("As people see it, such as “Shoe size”."),
    )
    key = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Used in texts as {custom.key}. Empty: made of the label. It cannot be changed later."),
    )
    choices = ChoicesField(
        label=gettext_lazy("Choices"), required=False, help_text=gettext_lazy("For a list: one in a line.")
    )

    class Meta:
        model = CustomField
        fields = ("label", "key", "type", "choices")

    def clean_key(self) -> str:
        """The key that was given, or one made of the label, which is read before it."""
        key = str(self.cleaned_data["key"]).strip() or key_of(str(self.cleaned_data.get("label") or "").lower())
        if not key:
            raise forms.ValidationError(_("A field needs a label or a key with a letter in it."))
        return key

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("type") == CustomField.Type.CHOICE and not given.get("choices"):
            self.add_error("choices", _("A list needs at least one choice."))
        if self.instance._state.adding and CustomField.objects.count() >= MAX_FIELDS:
            self.add_error(None, _("There are at most %(most)s custom fields.") % {"most": MAX_FIELDS})
        return given


@admin.register(CustomField, site=organization_site)
class CustomFieldAdmin(HistoryAdmin[CustomField]):
    form = CustomFieldForm
    list_display = ("key", "label", "type", "created_at")
    list_filter = ("type",)
    search_fields = ("key", "label")
    fields = ("label", "key", "type", "choices")
    empty_title = gettext_lazy("No field of your own yet")
    empty_text = gettext_lazy("Company, birthday, shoe size: what you know of contacts beyond name, phone and e-mail.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The key is in texts, imports and stored values: it stays."""
        return ("key",) if obj is not None else ()
