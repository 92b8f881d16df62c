"""Super-admins: failed logins, and unlocking an account that is locked out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_sites import public_site


@admin.register(AccessAttempt, site=public_site)
class AccessAttemptAdmin(ReadOnlyAdmin[AccessAttempt]):
    list_display = ("username", "ip_address", "failures_since_start", "locked", "attempt_time", "path_info")
    search_fields = ("username", "ip_address")
    search_help_text = gettext_lazy("E-mail or address")
    fields = ("username", "ip_address", "failures_since_start", "locked", "attempt_time", "path_info", "user_agent")
    readonly_fields = ("locked",)
    actions = ("unlock",)
    empty_title = gettext_lazy("No failed login")
    empty_text = gettext_lazy("Wrong passwords are counted here. Too many of them lock an account for that address.")

    @display(description=gettext_lazy("state"), label={"locked": "danger", "counting": "warning", "over": "default"})
    def locked(self, obj: AccessAttempt) -> tuple[str, str]:
        since = timezone.now() - timedelta(hours=settings.AXES_COOLOFF_TIME)
        if obj.attempt_time < since:
            return "over", _("over")
        if obj.failures_since_start >= settings.AXES_FAILURE_LIMIT:
            return "locked", _("locked")
        return "counting", _("counting")

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    @action(description=gettext_lazy("Unlock"), permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for attempt in queryset:
            reset(ip=attempt.ip_address, username=attempt.username)
            messages.success(
                request,
                _("%(name)s may try again from %(address)s.")
                % {"name": attempt.username, "address": attempt.ip_address},
            )
