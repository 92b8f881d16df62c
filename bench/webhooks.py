"""Deliveries per second to a fast receiver, and to it beside one that never answers; the floor is the bare client."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from pyreqwest.client import ClientBuilder

from bench.platform_access import resident_mib, wait_for
from bench.table import Row
from config.stack.instance import Instance

CONCURRENCY = 64
AIM = 1_000
BODY = {"contact": {"number": 1, "name": "Ada", "phone": "22997000001", "custom_fields": {"city": "Cotonou"}}}


@contextmanager
def _receiver(instance: Instance) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.noop_server"], env=instance.env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/hook"
    finally:
        process.terminate()
        process.wait(10)


async def _bare(url: str, count: int) -> float:
    """Requests per second of the client alone, with a body of the same size."""
    client, numbers, body = ClientBuilder().no_proxy().build(), iter(range(count)), orjson.dumps({"data": BODY} | BODY)

    async def worker() -> None:
        for _ in numbers:
            await (await client.post(url).body_bytes(body).build().send()).bytes()

    started = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    elapsed = time.monotonic() - started
    await client.close()
    return count / elapsed


def _endpoint(organization: Any, url: str, event: str) -> Any:
    from django_tenants.utils import tenant_context

    from webhooks_app.services.endpoints import endpoint_create

    with tenant_context(organization):
        return endpoint_create(surface="workspace", name="Bench", url=url, events=[event])[0]


def _publish(organization: Any, count: int, event: str) -> float:
    """Publish `count` events in one transaction; returns events per second."""
    from django.db import transaction
    from django_tenants.utils import tenant_context

    from webhooks_app.services.events import NewEvent, events_publish

    with tenant_context(organization):
        started = time.monotonic()
        with transaction.atomic():
            events_publish(events=[NewEvent(event, BODY, key=str(number)) for number in range(count)])
        return count / (time.monotonic() - started)


def _delivered(organization: Any, endpoint: Any, count: int) -> float:
    """Seconds until `count` deliveries of the endpoint have been counted as arrived."""
    from django.db.models import Sum
    from django_tenants.utils import tenant_context

    from webhooks_app.models import EndpointCount

    def arrived() -> bool:
        with tenant_context(organization):
            found = EndpointCount.objects.filter(endpoint=endpoint).aggregate(total=Sum("succeeded"))["total"]
        return (found or 0) >= count

    started = time.monotonic()
    wait_for(arrived, seconds=300, every=0.05)
    return time.monotonic() - started


def rows_webhooks(instance: Instance, organization: Any, *, count: int) -> list[Row]:
    """Starts the webhooks worker if it does not run."""
    from django_tenants.utils import tenant_context

    from webhooks_app.services.endpoints import endpoint_delete

    if not instance.running("webhooks"):
        instance.start("webhooks")
    with _receiver(instance) as url:
        floor = asyncio.run(_bare(url, count))
        endpoint = _endpoint(organization, url, "contact.created")
        # The worker's start is not part of the figures.
        _publish(organization, 500, "contact.created")
        _delivered(organization, endpoint, 500)
        before = resident_mib(instance.pid("webhooks"))
        published = _publish(organization, count, "contact.created")
        rate = count / _delivered(organization, endpoint, 500 + count)
        after = resident_mib(instance.pid("webhooks"))
        with tenant_context(organization):
            endpoint_delete(endpoint_id=endpoint.pk)
    return [
        Row("webhooks: bare client to the same receiver", f"{floor:,.0f}/s"),
        Row(f"webhooks: {count:,} events published, one subscriber", f"{published:,.0f}/s"),
        Row(
            f"webhooks: {count:,} signed deliveries, logged and counted",
            f"{rate:,.0f}/s = {rate / floor:.0%}",
            f">= {AIM:,}/s",
            rate >= AIM,
            f"worker {before:.0f} -> {after:.0f} MiB",
        ),
    ]
