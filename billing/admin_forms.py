"""Forms that move credits. Each carries a reference, so that a form that is sent twice moves nothing twice."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.models import DIGITS, PLACES
from config.admin_forms import ServiceForm
from tenants.models import Membership


class AmountForm(ServiceForm):
    """How much, and why."""

    amount = forms.DecimalField(label=_("Credits"), max_digits=DIGITS, decimal_places=PLACES, localize=True)
    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("It is kept in the ledger for ever."))
    reference = forms.CharField(widget=forms.HiddenInput, max_length=90, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reference"].initial = uuid4().hex

    def movement(self) -> dict[str, Any]:
        """What the services of credits ask for."""
        return {name: self.cleaned_data[name] for name in ("amount", "reason", "reference")}


class MemberAmountForm(AmountForm):
    """Who gets how much."""

    member = forms.ModelChoiceField(label=_("Member"), queryset=Membership.objects.none(), empty_label=None)
    field_order = ("member", "amount", "reason")

    def __init__(self, *args: Any, organization_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = Membership.objects.filter(organization_id=organization_id).select_related("user")
        self.fields["member"].queryset = members.order_by("user__email")  # type: ignore[attr-defined]
