"""One-time passwords, without their codes, and the organisation's limits."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import BigTableAdmin, ReadOnlyAdmin, SingleRowAdmin
from config.admin_decorators import display
from config.admin_sites import organization_of, organization_site
from messaging.admin.phone_search import address_query
from messaging.models import Message
from otp.models import OneTimePassword, OtpPolicy


@admin.register(OneTimePassword, site=organization_site)
class OneTimePasswordAdmin(ReadOnlyAdmin[OneTimePassword], BigTableAdmin[OneTimePassword]):
    list_display = ("created_at", "phone_text", "state", "guesses", "expires_at", "verified_at")
    search_fields = ("phone",)
    search_help_text = gettext_lazy("Phone number or its beginning")
    fields = ("public_id", "phone_text", "state", "guesses", "created_at", "expires_at", "verified_at", "message_link")
    empty_title = gettext_lazy("No code has been sent yet")
    empty_text = gettext_lazy(
        "Codes that your programs send through the API are listed here, without the codes themselves."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[OneTimePassword]:
        """The code exists only as a keyed hash; not even that is read here."""
        return super().get_queryset(request).defer("code_hash")

    def search_indexed(
        self, request: HttpRequest, queryset: QuerySet[OneTimePassword], term: str
    ) -> QuerySet[OneTimePassword]:
        phone = address_query("phone", term, organization_of(request).default_country)
        return queryset.none() if phone is None else queryset.filter(phone)

    @display(description=gettext_lazy("phone"))
    def phone_text(self, obj: OneTimePassword) -> str:
        return f"+{obj.phone}"

    @display(
        description=gettext_lazy("state"),
        label={"verified": "success", "blocked": "danger", "expired": "warning", "open": "info"},
    )
    def state(self, obj: OneTimePassword) -> tuple[str, str]:
        if obj.verified_at:
            return "verified", _("verified")
        if obj.attempts >= obj.max_attempts:
            return "blocked", _("too many guesses")
        return ("expired", _("expired")) if obj.expires_at <= timezone.now() else ("open", _("open"))

    @display(description=gettext_lazy("guesses"))
    def guesses(self, obj: OneTimePassword) -> str:
        return f"{obj.attempts} / {obj.max_attempts}"

    @display(description=gettext_lazy("message"))
    def message_link(self, obj: OneTimePassword) -> str:
        found = Message.objects.filter(uuid=obj.message_uuid).only("pk", "status").first() if obj.message_uuid else None
        if found is None:
            return "–"
        url = reverse("admin:messaging_message_change", args=[found.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', url, found.get_status_display())


@admin.register(OtpPolicy, site=organization_site)
class OtpPolicyAdmin(SingleRowAdmin[OtpPolicy]):
    fieldsets = (
        (
            gettext_lazy("Against guessing"),
            {"fields": ("max_attempts",), "description": gettext_lazy("After so many wrong guesses a code is dead.")},
        ),
        (
            gettext_lazy("Against pumping"),
            {
                "fields": (
                    "resend_after_seconds",
                    "per_number_per_hour",
                    "per_prefix_per_hour",
                    "per_organization_per_hour",
                ),
                "description": gettext_lazy(
                    "Fraudsters make you send codes to ranges of expensive numbers. These limits stop it; "
                    "requests above them are refused with the time to wait."
                ),
            },
        ),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("otp.change_otppolicy")
