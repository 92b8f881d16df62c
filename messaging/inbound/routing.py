"""Which organisation and channel a part of a webhook belongs to."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from messaging.drivers.base import Route
from tenants.models import InboundRoute, Organization

# A suspension or a new route is known on every process after this time.
_KNOWN_SECONDS: Final = 1.0
_KNOWN_MAX: Final = 50_000


@dataclass(frozen=True, slots=True)
class Target:
    """One organisation that a route leads to; `channel_id` is None for routes of a whole account."""

    organization_id: int
    schema: str
    status: str
    channel_id: int | None

    @property
    def is_usable(self) -> bool:
        """Whether the organisation is neither suspended nor deleted."""
        return self.status == Organization.Status.ACTIVE


_cache: dict[Route, tuple[float, tuple[Target, ...]]] = {}


def routes_resolve(routes: Iterable[Route]) -> dict[Route, tuple[Target, ...]]:
    """Every route that leads somewhere, with its targets: one query for those not known from a moment ago."""
    now = time.monotonic()
    found: dict[Route, tuple[Target, ...]] = {}
    missing: set[Route] = set()
    for route in routes:
        hit = _cache.get(route)
        if hit is not None and hit[0] > now:
            found[route] = hit[1]
        else:
            missing.add(route)
    if missing:
        loaded = _load(missing)
        if len(_cache) + len(loaded) > _KNOWN_MAX:
            _cache.clear()
        _cache.update({route: (now + _KNOWN_SECONDS, targets) for route, targets in loaded.items()})
        found |= loaded
    return found


def _load(routes: set[Route]) -> dict[Route, tuple[Target, ...]]:
    rows = InboundRoute.objects.filter(
        kind__in={route.kind for route in routes}, external_id__in={route.external_id for route in routes}
    ).values_list(
        "kind", "external_id", "organization_id", "organization__schema_name", "organization__status", "channel_id"
    )
    loaded: dict[Route, tuple[Target, ...]] = {}
    for kind, external_id, organization_id, schema, status, channel_id in rows.order_by("pk"):
        route = Route(kind, external_id)
        if route in routes:
            loaded[route] = (*loaded.get(route, ()), Target(organization_id, schema, status, channel_id))
    return loaded


def cache_clear() -> None:
    """Forget what is remembered; for tests."""
    _cache.clear()
