"""Forms that call services, in the admin's looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _
from unfold import widgets

from config.admin_widgets import SelectWidget
from config.reasons import reason_said
from tenants.errors import ServiceError

# Form widget -> the admin's. The first class that fits wins, so special ones come first.
_LOOKS: tuple[tuple[type[forms.Widget], Any], ...] = (
    (forms.PasswordInput, widgets.UnfoldAdminPasswordWidget),
    (forms.CheckboxSelectMultiple, widgets.UnfoldAdminCheckboxSelectMultipleWidget),
    (forms.CheckboxInput, widgets.UnfoldBooleanSwitchWidget),
    (forms.RadioSelect, widgets.UnfoldAdminRadioSelectWidget),
    (forms.Select, SelectWidget),
    (forms.Textarea, widgets.UnfoldAdminTextareaWidget),
    (forms.NumberInput, widgets.UnfoldAdminIntegerFieldWidget),
    (forms.ClearableFileInput, widgets.UnfoldAdminFileFieldWidget),
    (forms.EmailInput, widgets.UnfoldAdminEmailInputWidget),
    (forms.TextInput, widgets.UnfoldAdminTextInputWidget),
    (forms.FileInput, widgets.UnfoldAdminFileFieldWidget),
)


class ServiceForm(forms.Form):
    """A form whose valid data goes to a service; a refusal of the service appears at the field that it names."""

    # A service's name of a field -> this form's name of it.
    field_aliases: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Those of the class, and of fields that are added.
        self.aliases = dict(self.field_aliases)
        for field in self.fields.values():
            _dress(field)

    def field_add(self, name: str, field: forms.Field) -> None:
        """Add a field that depends on what the form is about, in the same looks."""
        _dress(field)
        self.fields[name] = field

    @contextmanager
    def service_errors(self) -> Iterator[None]:
        """Turn a ServiceError of the block into errors of this form; everything else goes on as it is."""
        try:
            yield
        except ServiceError as error:
            found = dict(self._placed(name, reason_said(text)) for name, text in error.fields.items())
            named = {name: text for name, text in found.items() if name in self.fields}
            for name, text in named.items():
                self.add_error(name, text)
            if not named:
                self.add_error(None, reason_said(error.message))

    def _placed(self, name: str, text: str) -> tuple[str, str]:
        """(field, what is wrong): a part of a field that has parts (`definition.send.method`) is named in the text."""
        head, _separator, rest = name.partition(".")
        if name not in self.aliases and name not in self.fields and rest and head in self.aliases:
            return self.aliases[head], f"{rest}: {text}"
        return self.aliases.get(name, name), text


class ReasonForm(ServiceForm):
    """Asks why: the answer is kept with the object and shown to those who are concerned."""

    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("Others will read this."))


class ConfirmForm(ServiceForm):
    """Asks nothing; its button is the confirmation."""


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form was sent, or None when it is only shown. An empty POST counts: a confirmation has no fields."""
    return request.POST if request.method == "POST" else None


def _dress(field: forms.Field) -> None:
    old = field.widget
    for plain, dressed in _LOOKS:
        if isinstance(old, plain) and not isinstance(old, forms.MultiWidget):
            attrs = {**old.attrs}
            if issubclass(plain, forms.PasswordInput):
                # Never sent back to the browser, not even after a mistake in another field.
                field.widget = dressed(attrs=attrs, render_value=False)
            else:
                field.widget = dressed(attrs=attrs)
            break
    else:
        return
    if isinstance(old, forms.TextInput):
        # Django moves the type (date, time, datetime-local) out of the attributes.
        field.widget.input_type = old.input_type
    field.widget.is_localized = old.is_localized
    field.widget.is_required = old.is_required
    if isinstance(field, forms.ChoiceField):
        field.widget.choices = field.choices
