"""What the page of a campaign shows: where it is, why it waits, its numbers, its chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Campaign, Run, Schedule, SkippedRecipient
from campaigns.reports import SERIES, Chart, Totals, failure_reasons, run_chart, run_totals, variant_totals
from campaigns.services.progress import RUN_KIND, SCHEDULE_KIND
from campaigns.services.schedules import schedule_preview
from config.reasons import reason_said
from tenants.connection import connection
from tenants.models import AgendaItem

STATUS_COLOURS: Final = {
    "draft": "default", "scheduled": "info", "running": "info", "preparing": "info", "sending": "info",
    "paused": "warning", "completed": "success", "failed": "danger", "missed": "danger", "cancelled": "default",
}  # fmt: skip
_RUNS_SHOWN: Final = 20
WIDTH, HEIGHT, _EDGE = 640, 200, 8
_LABELS: Final = {
    "sent": gettext_lazy("Sent"),
    "delivered": gettext_lazy("Delivered"),
    "read": gettext_lazy("Read"),
    "failed": gettext_lazy("Failed"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the chart: its points as SVG wants them, and its last value."""

    name: str
    label: str
    points: str
    last: int


def progress_context(campaign: Campaign) -> dict[str, Any]:
    """Everything that the live part of the page needs, in a fixed number of queries."""
    runs = list(campaign.runs.select_related("winner").order_by("-id")[:_RUNS_SHOWN])
    totals = run_totals(run_ids=[run.pk for run in runs])
    newest = next((run for run in runs if run.status != Run.Status.MISSED), runs[0] if runs else None)
    schedule = Schedule.objects.filter(campaign_id=campaign.pk, is_active=True).first()
    return {
        "campaign": campaign,
        "status_colour": STATUS_COLOURS[campaign.status],
        "status_reason": reason_said(campaign.status_reason),
        "runs": [
            (run, totals.get(run.pk, Totals()), STATUS_COLOURS[run.status], reason_said(run.status_reason))
            for run in runs
        ],
        "run": newest,
        "totals": totals.get(newest.pk, Totals()) if newest else Totals(),
        "variants": _variants(campaign, newest),
        "skipped": _skipped(totals.get(newest.pk) if newest else None),
        "failures": _failures(newest),
        "lines": chart_lines(run_chart(run_id=newest.pk)) if newest else [],
        "waits": _waits(campaign, newest),
        "occurrences": schedule_preview(schedule=schedule, zone=campaign.zone) if schedule else [],
        "chart_width": WIDTH,
        "chart_height": HEIGHT,
    }


def _variants(campaign: Campaign, run: Run | None) -> list[tuple[Any, Totals, bool]]:
    variants = list(campaign.variants.all())
    if not variants or run is None:
        return []
    totals = variant_totals(run_id=run.pk)
    return [(variant, totals.get(variant.pk, Totals()), variant.pk == run.winner_id) for variant in variants]


def _skipped(totals: Totals | None) -> list[tuple[str, int]]:
    labels = dict(SkippedRecipient.Reason.choices)
    found = totals.skipped.items() if totals else ()
    return sorted(((str(labels.get(reason, reason)), count) for reason, count in found), key=lambda item: -item[1])


def _failures(run: Run | None) -> list[tuple[str, str, int]]:
    found = failure_reasons(run_id=run.pk) if run else []
    return [(code, reason_said(reason), count) for code, reason, count in found]


def _waits(campaign: Campaign, run: Run | None) -> str:
    """Why nothing moves, in words; "" when there is nothing to explain."""
    if run is not None and run.status_reason:
        return reason_said(run.status_reason)
    keys = [(SCHEDULE_KIND, str(campaign.pk))] + ([(RUN_KIND, str(run.pk))] if run else [])
    for kind, key in keys:
        items = AgendaItem.objects.filter(schema=connection.schema_name, kind=kind, key=key)
        item = items.exclude(last_error="").first()
        if item is not None:
            return _("An error held it up; it is tried again: %(error)s") % {"error": item.last_error[:300]}
    return ""


def chart_lines(chart: Chart) -> list[Line]:
    """The chart's lines in the coordinates of the drawing; none before there is anything to draw."""
    if len(chart.points) < 2:
        return []
    top = max(1, *(max(counts.values()) for _at, counts in chart.points))
    return [
        Line(name, str(_LABELS[name]), _points(chart.points, name, top), chart.points[-1][1][name]) for name in SERIES
    ]


def _points(points: Sequence[tuple[datetime, dict[str, int]]], name: str, top: int) -> str:
    wide, high = WIDTH - 2 * _EDGE, HEIGHT - 2 * _EDGE
    last = len(points) - 1
    places = (
        (_EDGE + wide * i / last, HEIGHT - _EDGE - high * counts[name] / top) for i, (_at, counts) in enumerate(points)
    )
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
