"""The form of a contact, with the organisation's own fields as their types want them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_forms import ServiceForm
from contacts.admin.phone_fields import phone_or_error
from contacts.models import Contact, CustomField, Group, Identity
from contacts.services.contacts import ContactValues
from contacts.values import MAX_TAGS

_PREFIX = "custom_"


class ContactForm(ServiceForm):
    """A new contact, or one that is there: the number decides who it is."""

    phone = forms.CharField(
        label=gettext_lazy("Phone"),
        max_length=32,
        help_text=gettext_lazy("With the country code (+229…), or as it is dialled in your default country."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=160, required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)
    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        choices=Contact.Status.choices,
        initial=Contact.Status.ACTIVE,
        required=False,
        help_text=gettext_lazy("Inactive contacts are left out of campaigns."),
    )
    group = forms.ModelChoiceField(
        label=gettext_lazy("Main group"), queryset=Group.objects.none(), required=False, empty_label="–"
    )
    tags = forms.CharField(
        label=gettext_lazy("Tags"), required=False, help_text=gettext_lazy("Separated by commas, at most 50.")
    )
    language = forms.CharField(
        label=gettext_lazy("Language"), max_length=10, required=False, help_text=gettext_lazy("A code: fr, pt_BR.")
    )
    timezone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("Such as Africa/Porto-Novo. Empty: that of the phone's country."),
    )

    def __init__(self, *args: Any, country: str, contact: Contact | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._country, self._contact = country, contact
        self.fields["group"].queryset = Group.objects.all()  # type: ignore[attr-defined]
        if contact is not None and contact.phone is None:
            # Known by a provider's id alone: a number may be added, it need not.
            self.fields["phone"].required = False
        self._custom = list(CustomField.objects.order_by("key"))
        for definition in self._custom:
            self.field_add(f"{_PREFIX}{definition.key}", _field(definition))
            self.aliases[f"custom_fields.{definition.key}"] = f"{_PREFIX}{definition.key}"

    def clean_phone(self) -> str:
        text = self.cleaned_data["phone"]
        if not text:
            return ""
        phone = phone_or_error(text, self._country)
        taken = Identity.objects.filter(kind=Identity.Kind.PHONE, value=phone)
        if self._contact is not None:
            taken = taken.exclude(contact_id=self._contact.pk)
        if taken.exists():
            raise forms.ValidationError(_("There is a contact with this number already."))
        return phone

    def clean_tags(self) -> list[str]:
        tags = [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]
        if len(tags) > MAX_TAGS:
            raise forms.ValidationError(_("At most %(most)s tags.") % {"most": MAX_TAGS})
        return tags

    def values(self) -> ContactValues:
        """What the services take; an empty number leaves what is there."""
        given = self.cleaned_data
        values: ContactValues = {
            "name": given["name"],
            "email": given["email"],
            "status": given["status"] or Contact.Status.ACTIVE,
            "group": given["group"].name if given["group"] else None,
            "tags": given["tags"],
            "language": given["language"],
            "timezone": given["timezone"],
            "custom_fields": {item.key: _stored(given[f"{_PREFIX}{item.key}"]) for item in self._custom},
        }
        if given["phone"]:
            values["phone"] = f"+{given['phone']}"
        return values


def contact_initial(contact: Contact) -> dict[str, Any]:
    """The form's fields as they are stored."""
    initial: dict[str, Any] = {
        "phone": f"+{contact.phone}" if contact.phone else "",
        "name": contact.name,
        "email": contact.email,
        "status": contact.status,
        "group": contact.primary_group_id,
        "tags": ", ".join(contact.tags),
        "language": contact.language,
        "timezone": contact.timezone,
    }
    return initial | {f"{_PREFIX}{key}": _shown(value) for key, value in contact.custom.items()}


def _field(definition: CustomField) -> forms.Field:
    options: dict[str, Any] = {"label": str(definition), "required": False, "help_text": f"{{custom.{definition.key}}}"}
    kinds = CustomField.Type
    if definition.type == kinds.NUMBER:
        return forms.DecimalField(widget=forms.TextInput(attrs={"inputmode": "decimal"}), **options)
    if definition.type == kinds.DATE:
        return forms.DateField(widget=forms.TextInput(attrs={"type": "date"}), **options)
    if definition.type == kinds.BOOLEAN:
        return forms.ChoiceField(choices=[("", "–"), ("true", _("Yes")), ("false", _("No"))], **options)
    if definition.type == kinds.CHOICE:
        choices = [("", "–"), *((str(choice), str(choice)) for choice in definition.choices)]
        return forms.ChoiceField(choices=choices, **options)
    return forms.CharField(max_length=1000, **options)


def _stored(value: Any) -> Any:
    return None if value in (None, "") else str(value)


def _shown(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
