"""Forms of the webhook pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_forms import ServiceForm
from messaging.models import Channel
from webhooks_app.catalogue import EVERYTHING, surface_events
from webhooks_app.models.endpoint import RETRIES_MOST, TIMEOUT_MOST

_CHANNELS_SHOWN = 200


class EndpointForm(ServiceForm):
    """A new or changed endpoint of one surface."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=120, help_text=gettext_lazy("How your team calls it.")
    )
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=2048,
        help_text=gettext_lazy("https://… of your system. It must be reachable from the internet."),
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Events"), widget=forms.CheckboxSelectMultiple, help_text=gettext_lazy("What it is told.")
    )
    channel_ids = forms.MultipleChoiceField(
        label=gettext_lazy("Channels"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None chosen: events of all channels, and those that belong to none."),
    )
    retry_limit = forms.IntegerField(
        label=gettext_lazy("Retries"),
        min_value=0,
        max_value=RETRIES_MOST,
        help_text=gettext_lazy("After 5 s, 5 min, 30 min, 2 h, 5 h and then every 10 h."),
    )
    timeout = forms.IntegerField(
        label=gettext_lazy("Time limit"),
        min_value=1,
        max_value=TIMEOUT_MOST,
        help_text=gettext_lazy("Seconds that an answer may take."),
    )

    def __init__(self, *args: Any, surface: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = surface_events(surface)
        choices = [(EVERYTHING, _("All events"))] + [(name, f"{name} · {label}") for name, label in offered.items()]
        self._choose("events", choices)
        rows = Channel.objects.order_by("name").values_list("pk", "name")[:_CHANNELS_SHOWN]
        self._choose("channel_ids", [(str(pk), name) for pk, name in rows])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = choices

    def values(self) -> dict[str, Any]:
        """What the services take."""
        return self.cleaned_data | {"channel_ids": [int(pk) for pk in self.cleaned_data["channel_ids"]]}


class EndpointCreateForm(EndpointForm):
    """Also asks for a secret of one's own."""

    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        max_length=200,
        widget=forms.PasswordInput,
        help_text=gettext_lazy("Signs every delivery. Leave it empty and one is made."),
    )


class RotateForm(ServiceForm):
    """How long the old secret signs as well."""

    hours = forms.IntegerField(
        label=gettext_lazy("Hours during which the old secret signs too"),
        min_value=0,
        max_value=720,
        initial=24,
        help_text=gettext_lazy("Time to put the new one into your system. 0: the old one ends at once."),
    )


class ReplayForm(ServiceForm):
    """What to deliver again."""

    field_aliases = {"since": "hours"}  # noqa: RUF012 Django's own shape

    hours = forms.IntegerField(
        label=gettext_lazy("Hours back"),
        min_value=1,
        max_value=24 * 90,
        initial=24,
        help_text=gettext_lazy("Everything since then is delivered again, oldest first."),
    )
    failed_only = forms.BooleanField(
        label=gettext_lazy("Only what did not arrive"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Otherwise also what arrived: your system must recognise repetitions by webhook-id."),
    )
