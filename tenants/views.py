"""Pages on an organisation's host that need no login: accepting an invitation, entering as support."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from config.middleware import client_address
from tenants.errors import NotFound, ServiceError
from tenants.models import Invitation, Organization, User
from tenants.services.memberships import invitation_accept, invitation_find
from tenants.services.support import support_access_enter
from tenants.sessions import session_open_support


class InvitationForm(forms.Form):
    """Name and password of a person who has no account yet; the password rules are the service's."""

    name = forms.CharField(label=_("Your name"), max_length=120)
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    repeated = forms.CharField(
        label=_("Password again"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("password") != cleaned.get("repeated"):
            self.add_error("repeated", _("The two passwords differ."))
        return cleaned


@never_cache
@sensitive_post_parameters("password", "repeated")
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Shows the invitation and accepts it by POST, then leads to the login. 404 when it is not open."""
    organization: Organization = request.tenant  # type: ignore[attr-defined]
    try:
        found = invitation_find(token=token, organization=organization)
    except ServiceError as error:
        return _refused(request, error)
    has_account = User.objects.filter(email__iexact=found.email).exists()
    form = None if has_account else InvitationForm(request.POST or None)
    if request.method == "POST" and (form is None or form.is_valid()):
        values = form.cleaned_data if form else {}
        try:
            invitation_accept(
                token=token,
                organization=organization,
                name=values.get("name", ""),
                password=values.get("password"),
            )
        except ServiceError as error:
            if form is None or "password" not in error.fields:
                return _refused(request, error)
            form.add_error("password", str(error))
        else:
            return HttpResponseRedirect(reverse("admin:login"))
    return _invitation_page(request, found, form)


@never_cache
@require_GET
def support_enter(request: HttpRequest, token: str) -> HttpResponse:
    """Opens the organisation's admin for a super-admin with a fresh link; the link works once."""
    organization: Organization = request.tenant  # type: ignore[attr-defined]
    try:
        access = support_access_enter(token=token, organization=organization, address=client_address(request))
    except NotFound as error:
        return _refused(request, error)
    session_open_support(request, access)
    return HttpResponseRedirect(reverse("admin:index"))


def _invitation_page(request: HttpRequest, found: Invitation, form: InvitationForm | None) -> HttpResponse:
    context = {"invitation": found, "form": form, "password_rules": password_validators_help_texts()}
    return render(request, "tenants/invitation.html", context)


def _refused(request: HttpRequest, error: ServiceError) -> HttpResponse:
    return render(request, "tenants/unavailable.html", {"status": 404, "text": error.message}, status=404)
