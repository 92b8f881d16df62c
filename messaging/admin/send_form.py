"""The form that sends a text message."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from config.admin_forms import ServiceForm
from messaging.models import Channel


class SendForm(ServiceForm):
    """Who to, through which channel, what."""

    channel = forms.ModelChoiceField(label=_("Channel"), queryset=Channel.objects.none(), empty_label=None)
    to = forms.CharField(
        label=_("Phone number"),
        max_length=32,
        help_text=_("With the country code (+229…), or as it is dialled in your default country."),
    )
    text = forms.CharField(
        label=_("Text"),
        max_length=4096,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("Free text reaches customers who have written within the last 24 hours."),
    )
    save_contact = forms.BooleanField(label=_("Keep the number as a contact"), required=False, initial=True)

    field_aliases: ClassVar[dict[str, str]] = {"text.body": "text", "body": "text"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channel"].queryset = Channel.objects.filter(status=Channel.Status.CONNECTED)  # type: ignore[attr-defined]
