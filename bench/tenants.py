"""How long organisations take: creating them, and `migrate` with nothing to do as their number grows.

`python -m bench.tenants [number]`, on the database of DATABASE_URL, migrated. What it creates it drops again.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.table import Row

_PREFIX = "bench-tenant-"
_STEPS = 4


@dataclass(frozen=True, slots=True)
class TenantFigures:
    """Seconds. `no_op`: (organisations, seconds of `migrate --tenant` with nothing to do), one pair per step."""

    creation_median: float
    creation_worst: float
    no_op: list[tuple[int, float]]

    @property
    def slope(self) -> float:
        """Seconds that each further organisation adds to a `migrate` with nothing to do (least squares)."""
        counts, seconds = zip(*self.no_op, strict=True)
        return statistics.linear_regression(counts, seconds).slope


def measure(number: int) -> TenantFigures:
    """Create `number` organisations in steps, time each, and time `migrate` after each step."""
    from tenants.services.organizations import customer_organizations, organization_create

    spent: list[float] = []
    no_op = []
    with _dropped_afterwards():
        for step in range(_STEPS):
            for index in range(step * number // _STEPS, (step + 1) * number // _STEPS):
                began = time.perf_counter()
                organization_create(name=f"Bench {index}", slug=f"{_PREFIX}{index}")
                spent.append(time.perf_counter() - began)
            no_op.append((customer_organizations().count(), _migrate_seconds()))
    return TenantFigures(statistics.median(spent), max(spent), no_op)


def rows_tenants(*, number: int) -> list[Row]:
    """The figures as rows of the benchmark table."""
    figures = measure(number)
    thousand = figures.no_op[-1][1] + figures.slope * (1000 - figures.no_op[-1][0])
    return [
        Row(
            f"create an organisation, {number} of them",
            f"{figures.creation_median:.2f} s (worst {figures.creation_worst:.2f})",
            "< 2 s",
            figures.creation_worst < 2,
        ),
        Row(
            f"migrate, nothing to do, {figures.no_op[-1][0]} organisations",
            f"{figures.no_op[-1][1] * 1000:.0f} ms",
            "< 10 s at 1,000",
            thousand < 10,
            f"slope {figures.slope * 1e6:.1f} microseconds per organisation, Django's start not counted",
        ),
    ]


def _migrate_seconds() -> float:
    from django.core.management import call_command

    times = []
    for _ in range(5):
        began = time.perf_counter()
        call_command("migrate", tenant=True, verbosity=0)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


@contextmanager
def _dropped_afterwards() -> Iterator[None]:
    from tenants.models import Organization
    from tenants.services.schemas import schema_drop

    try:
        yield
    finally:
        for organization in Organization.objects.filter(slug__startswith=_PREFIX):
            schema_drop(organization.schema_name)
            organization.delete()


def main() -> int:
    """Print the table. Returns 1 when creating one organisation took two seconds or more."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    django.setup()
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    print(f"create one organisation   median {figures.creation_median:.3f} s, worst {figures.creation_worst:.3f} s")
    for count, seconds in figures.no_op:
        print(f"migrate, nothing to do    {count:5} organisations  {seconds * 1000:7.1f} ms")
    print(f"slope                     {figures.slope * 1e6:.1f} microseconds per organisation")
    return 0 if figures.creation_worst < 2 else 1


if __name__ == "__main__":
    sys.exit(main())
