"""Super-admins: the periodic tasks that beat sends."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from config.admin_base import HistoryAdmin
from config.admin_decorators import action, display
from config.admin_sites import public_site


@admin.register(PeriodicTask, site=public_site)
class PeriodicTaskAdmin(HistoryAdmin[PeriodicTask]):
    """When it runs and whether; which code it runs is written by the program and not by hand."""

    list_display = ("name", "enabled", "timing", "queue", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    search_fields = ("name", "task")
    fields = (
        "name",
        "task",
        "queue",
        "enabled",
        "interval",
        "crontab",
        "expire_seconds",
        "last_run_at",
        "total_run_count",
    )
    readonly_fields = ("name", "task", "queue", "last_run_at", "total_run_count")
    list_select_related = ("interval", "crontab")
    actions = ("switch_on", "switch_off")
    empty_text = gettext_lazy("Beat writes its tasks here when it starts.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("when"))
    def timing(self, obj: PeriodicTask) -> str:
        return str(obj.interval or obj.crontab or "–")

    @action(description=gettext_lazy("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, True)

    @action(description=gettext_lazy("Switch off"), permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[PeriodicTask], enabled: bool) -> None:
        count = queryset.exclude(enabled=enabled).update(enabled=enabled)
        PeriodicTasks.update_changed()
        messages.success(request, _("%(count)s changed.") % {"count": count})


@admin.register(IntervalSchedule, site=public_site)
class IntervalScheduleAdmin(HistoryAdmin[IntervalSchedule]):
    list_display = ("__str__", "every", "period")
    empty_text = gettext_lazy("An interval says how often a periodic task runs.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting an interval would delete the tasks that use it."""
        return False


@admin.register(CrontabSchedule, site=public_site)
class CrontabScheduleAdmin(HistoryAdmin[CrontabSchedule]):
    list_display = ("__str__", "timezone")
    empty_text = gettext_lazy("A cron time says at which minutes, hours and days a periodic task runs.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
