"""What charging costs: accepting and sending with an account that pays, against the same without one, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from bench.engine import channel_make, queue_messages
from bench.platform_access import phone_numbers, wait_for
from bench.table import Row
from config.stack.instance import Instance

_THREADS: Final = 8
_ROUNDS: Final = 3
_PRICE: Final = 2
_CONTENT: Final = {"type": "text", "text": {"body": "Hello from the benchmark"}}
# Charging takes one more row per call and its lock: no more than this share of the speed may go.
_AIM: Final = {"one a call": 0.5, "1,000 a call": 0.6, f"one a call, {_THREADS} threads": 0.35, "sent": 0.85}


def rows_credits(instance: Instance, organization: Any, *, count: int) -> Iterator[Row]:
    """Messages per second, charged and free, and whether the books agree afterwards."""
    free: dict[str, float] = {}
    charged: dict[str, float] = {}
    # In turns, and the best of each: whatever else the machine does then meets both alike.
    for _ in range(_ROUNDS):
        _keep_best(free, _accepting(organization, count))
        with _charged(organization):
            _keep_best(charged, _accepting(organization, count))
    # Only now, or its sends would share the two cores with what is measured above.
    if not instance.running("dispatch"):
        instance.start("dispatch")
    _sending(organization, 1000)
    free["sent"] = _sending(organization, count)
    with _charged(organization):
        charged["sent"] = _sending(organization, count)
        difference = _proof(organization)
    for what, rate in charged.items():
        share = rate / free[what]
        yield Row(
            f"credits: {what}, charged",
            f"{rate:,.0f} /s ({share:.0%})",
            f"{_AIM[what]:.0%} of {free[what]:,.0f} /s free",
            share >= _AIM[what],
        )
    yield Row("credits: the books agree", difference or "yes", "yes", difference == "")


def _keep_best(best: dict[str, float], rates: dict[str, float]) -> None:
    for what, rate in rates.items():
        best[what] = max(rate, best.get(what, 0.0))


def _accepting(organization: Any, count: int) -> dict[str, float]:
    channel = channel_make(organization, rate_per_second=0)
    numbers = phone_numbers(count)
    few = numbers[: max(200, count // 10)]

    def accept(chunk: list[list[str]]) -> None:
        from django_tenants.utils import tenant_context

        from messaging.services.accept import Draft, messages_accept
        from messaging.services.channels import channel_by_uuid

        with tenant_context(organization):
            for part in chunk:
                messages_accept(
                    organization=organization,
                    channel=channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid),
                    drafts=[Draft(to=number, content=_CONTENT) for number in part],
                    origin="api",
                    priority=10,
                )

    accept([numbers[:1000]])
    singles = [[number] for number in few]
    rates = {
        "one a call": _rate(len(few), lambda: accept(singles)),
        "1,000 a call": _rate(count, lambda: accept([numbers[at : at + 1000] for at in range(0, count, 1000)])),
        f"one a call, {_THREADS} threads": _rate(len(few), lambda: _at_once(accept, singles)),
    }
    _queue_cancel(organization, channel)
    return rates


def _at_once(accept: Callable[[list[list[str]]], None], singles: list[list[str]]) -> None:
    from django.db import connection

    each = len(singles) // _THREADS

    def work(at: int) -> None:
        try:
            accept(singles[at * each : (at + 1) * each])
        finally:
            connection.close()

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(work, range(_THREADS)))


def _sending(organization: Any, count: int) -> float:
    """Messages per second from accepting to the last answer of the sandbox."""
    from django_tenants.utils import tenant_context

    from messaging.models import Message

    channel = channel_make(organization, rate_per_second=0)
    started = time.monotonic()
    queue_messages(organization, channel, count)

    def settled() -> bool:
        with tenant_context(organization):
            return not Message.objects.filter(channel=channel, status__in=["queued", "processing"]).exists()

    wait_for(settled, seconds=600)
    return count / (time.monotonic() - started)


def _queue_cancel(organization: Any, channel: Any) -> None:
    """Cancel what waits in the channel's queue, so that what is reserved for it is given back."""
    from django_tenants.utils import tenant_context

    from billing.services.outcomes import messages_credit
    from messaging.models import Message

    with tenant_context(organization):
        waiting = Message.objects.filter(channel_id=channel.pk, status="queued")
        ids = list(waiting.values_list("pk", flat=True))
        waiting.update(status="cancelled")
        messages_credit(channel_id=channel.pk, released=ids)


@contextmanager
def _charged(organization: Any) -> Iterator[None]:
    from django_tenants.utils import schema_context, tenant_context

    from billing.pricing import prices_forget
    from billing.services.credits import account_close, account_open, credits_top_up
    from billing.tariffs.models import Tariff

    with schema_context("public"):
        tariff = Tariff.objects.create(organization=organization, price=_PRICE)
    prices_forget()
    with tenant_context(organization):
        account = account_open()
        credits_top_up(account_id=account.pk, amount=100_000_000, reason="Benchmark")
    # Whoever remembers that nothing is charged forgets it within a second.
    time.sleep(1.0)
    try:
        yield
    finally:
        with tenant_context(organization):
            account_close(account_id=account.pk)
        with schema_context("public"):
            tariff.delete()
        time.sleep(1.0)


def _proof(organization: Any) -> str:
    from django_tenants.utils import tenant_context

    from billing.services.proof import credits_verify

    with tenant_context(organization):
        found = credits_verify()
    return "" if found is None else found.text


def _rate(number: int, work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return number / (time.monotonic() - started)
