"""An endpoint's numbers, from its counters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Sum

from webhooks_app.catalogue import surface_name
from webhooks_app.models import Endpoint, EndpointCount


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """Finished deliveries. `success_rate` in percent with two decimals, 0 without deliveries; latency of an attempt.

    `by_event`: (the surface's name of the event, count), the most frequent first.
    """

    total: int
    successful: int
    failed: int
    success_rate: float
    last_triggered_at: datetime | None
    average_latency_ms: int | None
    by_event: tuple[tuple[str, int], ...]


def endpoint_stats(*, endpoint: Endpoint) -> EndpointStats:
    """All days together; reads the counters, a row per day and event."""
    return endpoints_stats(endpoints=[endpoint])[endpoint.pk]


def endpoints_stats(*, endpoints: Iterable[Endpoint]) -> dict[int, EndpointStats]:
    """endpoint id -> its numbers, for many endpoints with one query."""
    known = {endpoint.pk: endpoint for endpoint in endpoints}
    rows = (
        EndpointCount.objects.filter(endpoint_id__in=known)
        .values("endpoint_id", "event_type")
        .annotate(good=Sum("succeeded"), bad=Sum("failed"), tries=Sum("attempts"), time=Sum("latency_ms"))
        .order_by("endpoint_id", "event_type")
    )
    grouped: dict[int, list[dict[str, Any]]] = {pk: [] for pk in known}
    for row in rows:
        grouped[row["endpoint_id"]].append(dict(row))
    return {pk: _stats(endpoint, grouped[pk]) for pk, endpoint in known.items()}


def _stats(endpoint: Endpoint, rows: list[dict[str, Any]]) -> EndpointStats:
    events: dict[str, int] = {}
    good = bad = tries = spent = 0
    for row in rows:
        count = int(row["good"]) + int(row["bad"])
        good, bad = good + int(row["good"]), bad + int(row["bad"])
        tries, spent = tries + int(row["tries"]), spent + int(row["time"])
        if count:
            name = surface_name(endpoint.surface, str(row["event_type"]))
            events[name] = events.get(name, 0) + count
    total = good + bad
    times = [moment for moment in (endpoint.last_success_at, endpoint.last_failure_at) if moment]
    return EndpointStats(
        total=total,
        successful=good,
        failed=bad,
        success_rate=round(100 * good / total, 2) if total else 0.0,
        last_triggered_at=max(times) if times else None,
        average_latency_ms=round(spent / tries) if tries else None,
        by_event=tuple(sorted(events.items(), key=lambda item: (-item[1], item[0]))),
    )
