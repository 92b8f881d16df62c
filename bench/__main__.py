"""`python -m bench [--quick] [names]`: all benchmarks, or those named; `PARTS` has the names."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator

from bench.platform_access import django_connect
from bench.table import Row, print_head, print_row
from config.stack.instance import Instance

PARTS = (
    "api",
    "bulk",
    "stages",
    "engine",
    "pacing",
    "otp",
    "fairness",
    "statuses",
    "webhooks",
    "credits",
    "launch",
    "imports",
    "plans",
    "tenants",
)


def main() -> int:
    """Run the parts on one private instance of the platform. Exit code 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", metavar="part", help="which (default: all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages: for a look, not for the table")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))} (there are {', '.join(PARTS)})")
    wanted = options.parts or PARTS
    scale = 10 if options.quick else 1
    print_head()
    missed = False
    with Instance(
        os.environ,
        processes=("sandbox", "web", "worker", "beat"),
        settings={"DJANGO_SETTINGS_MODULE": "bench.settings"},
    ) as instance:
        django_connect(instance)
        for row in _rows(instance, tuple(wanted), scale):
            print_row(row)
            missed = missed or row.reached is False
    return int(missed)


def _rows(instance: Instance, wanted: tuple[str, ...], scale: int) -> Iterator[Row]:
    from bench.api import rows_bulk, rows_single
    from bench.credits import rows_credits
    from bench.engine import queue_clear, rows_campaign, rows_otp_under_load, rows_pacing
    from bench.fairness import rows_fairness
    from bench.imports import rows_imports
    from bench.launch import rows_launch
    from bench.plans import rows_plans
    from bench.stages import rows_stages
    from bench.statuses import rows_statuses
    from bench.tenants import rows_tenants
    from bench.webhooks import rows_webhooks
    from tenants.models import Organization

    organization = Organization.objects.get(slug=instance.demo["organization"]["slug"])
    # The API and the stages come first, without a dispatch worker, whose sends would share the two cores with them.
    parts: dict[str, Callable[[], Iterable[Row]]] = {
        "api": lambda: rows_single(instance, count=6000 // scale),
        "bulk": lambda: rows_bulk(instance),
        "stages": lambda: rows_stages(instance, organization, count=10_000 // scale),
        "engine": lambda: rows_campaign(instance, organization, count=50_000 // scale),
        "pacing": lambda: rows_pacing(instance, organization, seconds=30 // min(scale, 3)),
        "otp": lambda: rows_otp_under_load(instance, organization, campaign_size=50_000 // scale),
        "fairness": lambda: rows_fairness(
            instance, organization, channels=500, flood=100_000 // scale, seconds=20 // min(scale, 2)
        ),
        "statuses": lambda: rows_statuses(instance, organization, messages=20_000 // scale),
        "webhooks": lambda: rows_webhooks(instance, organization, count=20_000 // scale),
        "credits": lambda: rows_credits(instance, organization, count=20_000 // scale),
        "launch": lambda: rows_launch(instance, organization, contacts=1_000_000 // scale),
        "imports": lambda: rows_imports(instance, organization, contacts=1_000_000 // scale),
        "plans": lambda: rows_plans(instance, messages=10_000_000 // scale),
        "tenants": lambda: rows_tenants(instance, number=1000 // scale),
    }
    for name in PARTS:
        if name not in wanted:
            continue
        if name not in ("api", "bulk", "stages", "webhooks", "credits", "plans") and not instance.running("dispatch"):
            # What the API parts accepted would otherwise be sent beside the next measurements.
            queue_clear(organization)
            instance.start("dispatch")
        yield from parts[name]()


if __name__ == "__main__":
    raise SystemExit(main())
