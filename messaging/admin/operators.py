"""What the organisation knows better about operators than the platform's table."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import HistoryAdmin
from config.admin_decorators import display
from config.admin_sites import organization_site
from messaging.models import OperatorPrefix
from messaging.operators import UNKNOWN, carrier_table
from messaging.services.operators import cache_clear


@admin.register(OperatorPrefix, site=organization_site)
class OperatorPrefixAdmin(HistoryAdmin[OperatorPrefix]):
    list_display = ("prefix", "operator", "otherwise", "note", "created_at")
    search_fields = ("prefix__startswith", "operator__startswith")
    search_help_text = gettext_lazy("Beginning of the number, or operator")
    fields = ("prefix", "operator", "note")
    empty_title = gettext_lazy("The platform's table counts")
    empty_text = gettext_lazy(
        "It knows about 30,000 number ranges of the world. Add a beginning of numbers here when it is wrong or silent "
        "about your country: tariffs, counts and analyses follow at once."
    )

    @property
    def add_label(self) -> str:
        return _("Add a beginning of numbers")

    @display(description=gettext_lazy("without it"))
    def otherwise(self, obj: OperatorPrefix) -> str:
        """What the platform's table says about such numbers."""
        return carrier_table().find(obj.prefix) or UNKNOWN

    def save_model(self, request: HttpRequest, obj: OperatorPrefix, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        cache_clear()

    def delete_model(self, request: HttpRequest, obj: OperatorPrefix) -> None:
        super().delete_model(request, obj)
        cache_clear()
