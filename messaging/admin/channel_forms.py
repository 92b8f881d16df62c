"""Forms of channels. Secrets are password fields that are never filled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core.validators import MaxValueValidator, RegexValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_forms import ServiceForm
from contacts.phones import BadPhone, phone_normalise
from messaging.drivers.base import PHONE, Driver
from messaging.drivers.connecting import ConnectDriver
from messaging.models import Channel

# What people call the secrets that drivers declare; a name that is missing here is shown as it is.
SECRET_LABELS: Final[Mapping[str, Any]] = {
    "access_token": gettext_lazy("Access token"),
    "app_secret": gettext_lazy("App secret"),
    "verify_token": gettext_lazy("Verify token"),
    "password": gettext_lazy("Password"),
}
# Secrets without which the platform's own app is used.
OF_APP: Final = ("app_secret", "verify_token")
MAX_RATE: Final = 10_000


def secret_help(driver: Driver, name: str) -> str:
    """Where a secret comes from, and whether one needs it."""
    if not isinstance(driver, ConnectDriver):
        return ""
    if name == "access_token":
        scopes = ", ".join(driver.connect_scopes)
        return _("One that does not end, such as a system user's, with these permissions: %(scopes)s.") % {
            "scopes": scopes
        }
    return _("Only with an app of your own. Empty: the platform's app.") if name in OF_APP else ""


class SecretsForm(ServiceForm):
    """One write-only field per secret of the driver; only the first is required, and only for a new channel."""

    def __init__(self, *args: Any, driver: Driver, required: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [name for name in driver.secret_fields if name not in driver.generated_secrets]
        self._secret_fields = {f"secret_{name}": name for name in names}
        needed = names[:1] if driver.required_secrets is None else driver.required_secrets
        # What services call a setting or secret -> the field that it is entered in.
        self.aliases |= {name: field for field, name in self._secret_fields.items()}
        for field, name in self._secret_fields.items():
            self.field_add(
                field,
                forms.CharField(
                    label=SECRET_LABELS.get(name, name),
                    required=required and name in needed,
                    max_length=2000,
                    widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
                    help_text=secret_help(driver, name) if required else _("Leave empty to keep what is there."),
                ),
            )

    def secrets(self) -> dict[str, str]:
        """Secret name -> value, of those that were filled in."""
        return {
            name: self.cleaned_data[field] for field, name in self._secret_fields.items() if self.cleaned_data[field]
        }


class ObjectField(forms.CharField):
    """A JSON object, empty for none."""

    widget = forms.Textarea(attrs={"rows": 6, "spellcheck": "false"})
    longest: Final = 20_000

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) and value else value or ""

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value) or "")
        try:
            found = json.loads(text) if text and len(text) <= self.longest else {}
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_("This is no JSON: %(problem)s") % {"problem": error}) from error
        if not isinstance(found, dict) or len(text) > self.longest:
            raise forms.ValidationError(_("This must be a JSON object of at most 20,000 characters."))
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(str(self.prepare_value(initial)).split() != str(data or "").split())


def setting_aliases(driver: Driver) -> dict[str, str]:
    """What services call a setting -> the form's field."""
    return {setting.name: f"setting_{setting.name}" for setting in driver.channel_settings}


def setting_fields(driver: Driver) -> dict[str, forms.Field]:
    """Form fields for the driver's settings, named `setting_<name>`."""
    fields: dict[str, forms.Field] = {}
    for setting in driver.channel_settings:
        label, text = _(setting.label), _(setting.help)
        if setting.choices:
            choices = [(value, _(name)) for value, name in setting.choices]
            field: forms.Field = forms.ChoiceField(label=label, choices=choices, required=False, help_text=text)
        elif setting.format == "json":
            field = ObjectField(label=label, required=False, help_text=text)
        elif setting.format in ("text", "url"):
            field = forms.CharField(label=label, required=False, max_length=2000, help_text=text)
        else:
            field = forms.BooleanField(label=label, required=False, help_text=text)
        fields[f"setting_{setting.name}"] = field
    return fields


class ChannelCreateForm(SecretsForm):
    """A new channel of one kind."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, help_text=gettext_lazy("How your team calls it."))
    address = forms.CharField(
        label=gettext_lazy("Number"),
        max_length=32,
        help_text=gettext_lazy("As customers see it, with the country code."),
    )
    external_id = forms.CharField(
        label=gettext_lazy("Provider's id of the number"),
        max_length=64,
        validators=[RegexValidator(r"^[\w.\-]+$", gettext_lazy("Letters, digits, dots and dashes only."))],
        help_text=gettext_lazy("For WhatsApp: the phone number id, not the number itself."),
    )
    account_id = forms.CharField(
        label=gettext_lazy("Provider's id of the account"),
        max_length=64,
        required=False,
        validators=[RegexValidator(r"^[\w.\-]+$", gettext_lazy("Letters, digits, dots and dashes only."))],
        help_text=gettext_lazy("For WhatsApp: the id of the business account (WABA)."),
    )
    is_sandbox = forms.BooleanField(
        label=gettext_lazy("Sandbox"),
        required=False,
        help_text=gettext_lazy(
            "Talks to the built-in simulator: nothing reaches a real phone. It cannot be changed later."
        ),
    )

    def __init__(self, *args: Any, driver: Driver, country: str, **kwargs: Any) -> None:
        super().__init__(*args, driver=driver, required=True, **kwargs)
        self._country = country
        self._is_own_account = isinstance(driver, ConnectDriver) and driver.is_own_account
        self._has_phone = PHONE in driver.address_kinds
        self._settings = setting_fields(driver)
        self.aliases |= setting_aliases(driver)
        for name, field in self._settings.items():
            self.field_add(name, field)
        if driver.generates_id:
            del self.fields["external_id"], self.fields["account_id"]
            # Which secrets are needed depends on the settings above them.
            self.order_fields(["name", "address", "is_sandbox", *self._settings, *self._secret_fields])
            self.fields["address"].required = False
            self.fields["address"].help_text = _(
                "That people answer to, with the country code; empty when they cannot."
            )
        if not self._has_phone:
            address = self.fields["address"]
            address.label, address.required = _("Name at the provider"), False
            address.help_text = _("As customers see it, such as the name of the page or account.")
            self._label_page()

    def _label_page(self) -> None:
        """Pages have no account above them; the account of an Instagram channel is the page that it belongs to."""
        external, account = self.fields["external_id"], self.fields["account_id"]
        if self._is_own_account:
            external.label, external.help_text = _("Page id"), _("Meta shows it under the page's transparency.")
            del self.fields["account_id"]
            return
        external.label, external.help_text = _("Id of the account"), _("The professional account's, at Meta.")
        account.label = _("Page id")
        account.help_text = _("Of the Facebook page behind the account. Empty with a token of Instagram's own login.")

    def clean_address(self) -> str:
        if not self._has_phone:
            return str(self.cleaned_data["address"])
        if not self.cleaned_data["address"]:
            return ""
        try:
            return phone_normalise(self.cleaned_data["address"], self._country)
        except BadPhone as error:
            raise forms.ValidationError(_("This number %(problem)s.") % {"problem": error}) from error

    def channel_fields(self) -> dict[str, Any]:
        """What the service takes besides kind and secrets."""
        names = ("name", "address", "external_id", "account_id", "is_sandbox")
        config = {name.removeprefix("setting_"): self.cleaned_data[name] for name in self._settings}
        fields = {name: self.cleaned_data[name] for name in names if name in self.fields} | {"config": config}
        return fields | ({"account_id": fields["external_id"]} if self._is_own_account else {})


class ChannelSettingsForm(ServiceForm):
    """What may change about a channel at any time."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    rate_per_second = forms.IntegerField(
        label=gettext_lazy("Messages per second"), required=False, min_value=0, validators=[MaxValueValidator(MAX_RATE)]
    )
    daily_cap = forms.IntegerField(
        label=gettext_lazy("Daily cap"),
        required=False,
        min_value=0,
        max_value=2_000_000_000,
        help_text=gettext_lazy("Empty: grows by itself during the first days of a new number."),
    )
    enforce_window = forms.BooleanField(
        label=gettext_lazy("Refuse free text outside the 24 h window"),
        required=False,
        help_text=gettext_lazy("Outside of the window the provider would accept free text and then fail it."),
    )
    in_doubt_policy = forms.ChoiceField(
        label=gettext_lazy("Campaign messages in doubt"),
        choices=Channel.InDoubtPolicy.choices,
        help_text=gettext_lazy("What becomes of them when it stays unknown whether they were sent."),
    )

    def __init__(self, *args: Any, driver: Driver, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.aliases |= setting_aliases(driver)
        for name, field in setting_fields(driver).items():
            self.field_add(name, field)
        self.fields["rate_per_second"].help_text = _("Empty: %(rate)s, the provider's default. 0: no limit.") % {
            "rate": driver.default_rate
        }
