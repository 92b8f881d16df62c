"""`python -m bench.faults [--messages N] [--kills K] [--seed S]`: what survives `kill -9`.

Two organisations, several channels, real processes. Dispatch workers, the default worker and the scheduler are killed
at random moments while the messages go out; at the end every message must be in a final state and the provider's ledger
must show each exactly once. Seeded, so a run can be repeated.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from typing import Any

from bench.engine import channel_make, queue_messages
from bench.platform_access import control, django_connect, wait_for
from bench.table import Row, print_head, print_row
from config.stack.instance import Instance

CHANNELS_EACH = 2
# The dispatch workers do the sending, so they are killed most often.
VICTIMS = ("dispatch", "dispatch", "dispatch", "second", "second", "second", "worker", "beat")
KINDS = {"dispatch": "dispatch", "second": "dispatch", "worker": "worker", "beat": "beat"}
FINAL = ("sent", "delivered", "read", "failed", "cancelled")


def main() -> int:
    """Run and print the table; exit code 1 when anything was lost, sent twice or left open."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print_head()
    settings = {"IN_DOUBT_WINDOW_SECONDS": "10", "DISPATCH_LEASE_SECONDS": "5", "SANDBOX_SWITCH_MAGIC": "false"}
    with Instance(os.environ, settings=settings) as instance:
        django_connect(instance)
        rows = _run(instance, options.messages, options.kills, random.Random(options.seed))
    for row in rows:
        print_row(row)
    return int(any(row.reached is False for row in rows))


def _run(instance: Instance, messages: int, kills: int, dice: random.Random) -> list[Row]:
    from tenants.models import Organization

    instance.start("dispatch", as_name="second")
    control(instance, "PUT", "switches", {"latency_ms": 50})
    before = control(instance, "GET", "ledger/summary")
    slugs = (instance.demo["organization"]["slug"], instance.demo["second_organization"]["slug"])
    organizations = list(Organization.objects.filter(slug__in=slugs))
    lanes = [(organization, channel_make(organization, rate_per_second=0))
             for organization in organizations for _ in range(CHANNELS_EACH)]  # fmt: skip
    each = messages // len(lanes)
    # One message before any kill: the figure is about work under way, not about the workers' start.
    for organization, channel in lanes:
        queue_messages(organization, channel, 1, priority=10, origin="api")
    wait_for(lambda: _open(lanes) == 0, seconds=60)
    started = time.monotonic()
    killed = 0
    for share in range(10):
        for organization, channel in lanes:
            queue_messages(organization, channel, each // 10, priority=10, origin="api")
        while killed < kills * (share + 1) // 10:
            time.sleep(dice.uniform(0.1, 0.6))
            victim = dice.choice(VICTIMS)
            instance.kill(victim)
            instance.start(KINDS[victim], as_name=victim)
            killed += 1
    wait_for(lambda: _open(lanes) == 0, seconds=300, every=0.5)
    elapsed = time.monotonic() - started
    time.sleep(5)
    return _verdict(instance, lanes, before, killed, elapsed)


def _open(lanes: list[tuple[Any, Any]]) -> int:
    """How many messages are not in a final state."""
    from django_tenants.utils import tenant_context

    from messaging.models import Message

    count = 0
    for organization, channel in lanes:
        with tenant_context(organization):
            count += Message.objects.filter(channel=channel).exclude(status__in=FINAL).count()
    return count


def _verdict(
    instance: Instance, lanes: list[tuple[Any, Any]], before: dict[str, Any], killed: int, elapsed: float
) -> list[Row]:
    from django.db.models import Sum
    from django_tenants.utils import tenant_context

    from messaging.models import ChannelCount, Message

    after = control(instance, "GET", "ledger/summary")
    total, at_provider, failed, wrong_counters = 0, 0, 0, 0
    for organization, channel in lanes:
        at_provider += after["by_number"].get(channel.external_id, 0)
        with tenant_context(organization):
            rows = Message.objects.filter(channel=channel)
            total += rows.count()
            failed += rows.filter(status="failed").count()
            for metric, expected in (("accepted", rows.count()), ("sent", rows.filter(sent_at__isnull=False).count())):
                counted = ChannelCount.objects.filter(channel=channel, metric=metric).aggregate(n=Sum("count"))["n"]
                wrong_counters += counted != expected
    twice = after["duplicates"] - before["duplicates"]
    lost = total - (at_provider - twice)
    return [
        Row(f"{total:,} messages, {killed} processes killed", f"{elapsed:.0f} s", note="all in a final state"),
        Row("lost", str(lost), "0", lost == 0),
        Row("sent twice", str(twice), "0", twice == 0),
        Row("failed", str(failed), "0", failed == 0),
        Row("counters that differ from the rows", str(wrong_counters), "0", wrong_counters == 0),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
