"""Small forms of a campaign's actions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign
from config.admin_forms import ServiceForm


class CopyForm(ServiceForm):
    """The name of a copy."""

    name = forms.CharField(label=_("Name"), max_length=120)


class TestSendForm(ServiceForm):
    """Where a test message goes, and which version when there are several."""

    to = forms.CharField(
        label=_("Your number"), max_length=32, help_text=_("As you would write it; it is remembered until you log out.")
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = [(variant.pk, variant.name) for variant in campaign.variants.all()]
        if versions:
            field = forms.TypedChoiceField(label=_("Version"), choices=versions, coerce=int)
            self.field_add("variant", field)
