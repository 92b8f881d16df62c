"""How fast the engine sends: one unlimited channel, pacing at 80/s, many trickling channels beside a flood."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from typing import Any

from bench.platform_access import control, phone_numbers, resident_mib, wait_for
from bench.table import Row, fullest_second, percentile
from config.stack.instance import Instance

CONCURRENCY = 400


def channel_make(organization: Any, *, kind: str = "whatsapp_cloud", **fields: Any) -> Any:
    """A sandbox channel of its own for one measurement; `kind` is one whose addresses are phone numbers."""
    from django_tenants.utils import tenant_context

    from messaging.services.channels import channel_create

    number = f"9{time.time_ns() % 10**15:015d}"
    with tenant_context(organization):
        return channel_create(
            organization=organization,
            name=f"Bench {number}",
            kind=kind,
            external_id=number,
            account_id="980215774401239",
            address="22951000000",
            secrets={"access_token": "sandbox-token-bench"},
            is_sandbox=True,
            **fields,
        )


def queue_messages(
    organization: Any, channel: Any, count: int, *, priority: int = 30, origin: str = "campaign"
) -> float:
    """Accept `count` text messages in calls of 10,000 (nobody is woken before the end); returns rows per second."""
    from django.db import transaction
    from django_tenants.utils import tenant_context

    from messaging.services.accept import Draft, messages_accept
    from messaging.services.channels import channel_by_uuid

    content = {"type": "text", "text": {"body": "Hello from the benchmark"}}
    numbers = phone_numbers(count)
    with tenant_context(organization):
        snapshot = channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid)
        started = time.monotonic()
        with transaction.atomic():
            for start in range(0, count, 10_000):
                acceptance = messages_accept(
                    organization=organization,
                    channel=snapshot,
                    drafts=[Draft(to=number, content=content) for number in numbers[start : start + 10_000]],
                    origin=origin,
                    priority=priority,
                )
                if acceptance.rejections:
                    raise RuntimeError(str(acceptance.rejections[0]))
        return count / (time.monotonic() - started)


def queue_clear(organization: Any) -> None:
    """Drop everything that waits in the organisation's queues."""
    from django_tenants.utils import tenant_context

    from messaging.models import Message

    with tenant_context(organization):
        Message.objects.filter(status="queued").delete()


def raw_rate(instance: Instance, count: int) -> float:
    """Messages per second of the bare client against the same sandbox."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.raw_client", f"{instance.sandbox_url}/v25.0/900000000000000/messages", str(count),
         str(CONCURRENCY)],
        env=instance.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def campaign(instance: Instance, organization: Any, count: int) -> tuple[float, float, float]:
    """Send `count` messages through one unlimited channel: messages/s, the worker's MiB at the start and the end."""
    from django_tenants.utils import tenant_context

    from messaging.models import Message

    channel = channel_make(organization, rate_per_second=0)
    started = time.monotonic()
    queue_messages(organization, channel, count)
    wait_for(lambda: _sends(instance, channel) > count * 0.1, seconds=600)
    before = resident_mib(instance.pid("dispatch"))

    def settled() -> bool:
        with tenant_context(organization):
            return not Message.objects.filter(channel=channel, status__in=["queued", "processing"]).exists()

    wait_for(settled, seconds=900)
    elapsed = time.monotonic() - started
    return count / elapsed, before, resident_mib(instance.pid("dispatch"))


def _sends(instance: Instance, channel: Any) -> int:
    return int(control(instance, "GET", "ledger/summary")["by_number"].get(channel.external_id, 0))


def rows_campaign(instance: Instance, organization: Any, *, count: int) -> list[Row]:
    """A campaign at provider latency 0 (against the raw client) and at 100 ms."""
    control(instance, "PUT", "switches", {"latency_ms": 0, "webhooks": False})
    # The worker's start is not part of the figures.
    campaign(instance, organization, 500)
    raw_before = raw_rate(instance, count // 2)
    fast, memory_before, memory_after = campaign(instance, organization, count)
    raw_after = raw_rate(instance, count // 2)
    raw = (raw_before + raw_after) / 2
    control(instance, "PUT", "switches", {"latency_ms": 100})
    slow, slow_before, slow_after = campaign(instance, organization, count)
    control(instance, "PUT", "switches", {"latency_ms": 0, "webhooks": True})
    return [
        Row("raw client, provider latency 0", f"{raw:,.0f} msg/s", note="before and after the engine's run"),
        Row(
            f"campaign of {count:,}, latency 0, accept to last settle",
            f"{fast:,.0f} msg/s = {fast / raw:.0%}",
            ">= 40 % of raw",
            fast / raw >= 0.4,
            f"worker {memory_before:.0f} -> {memory_after:.0f} MiB",
        ),
        Row(
            f"campaign of {count:,}, latency 100 ms, accept to last settle",
            f"{slow:,.0f} msg/s",
            ">= 1,000 msg/s",
            slow >= 1000,
            f"worker {slow_before:.0f} -> {slow_after:.0f} MiB",
        ),
    ]


def rows_pacing(instance: Instance, organization: Any, *, seconds: int = 20) -> list[Row]:
    """A channel of 80/s: the fullest second and the average, as the provider saw them."""
    channel = channel_make(organization, rate_per_second=80)
    count = 80 * seconds
    queue_messages(organization, channel, count)
    wait_for(lambda: _sends(instance, channel) == count, seconds=seconds * 3)
    sends = control(instance, "GET", f"ledger?phone_number_id={channel.external_id}&limit={count}")["sends"]
    times = sorted(send["at"] for send in sends)
    fullest = fullest_second(times)
    average = (count - 1) / (times[-1] - times[0])
    return [
        Row("pacing at 80/s: most in any second", f"{fullest}", "<= 80", fullest <= 80),
        Row("pacing at 80/s: average", f"{average:.1f}/s", ">= 76/s", average >= 76),
    ]


def rows_otp_under_load(instance: Instance, organization: Any, *, campaign_size: int, codes: int = 60) -> list[Row]:
    """One-time passwords over the API while a campaign runs on the same channel: accepted to on the wire."""
    import requests
    from django_tenants.utils import tenant_context

    from messaging.models import Message
    from otp.models import OtpPolicy

    control(instance, "PUT", "switches", {"latency_ms": 100, "webhooks": False})
    channel = channel_make(organization, rate_per_second=0)
    with tenant_context(organization):
        OtpPolicy.objects.update(resend_after_seconds=0, per_number_per_hour=10_000, per_prefix_per_hour=10_000)
    queue_messages(organization, channel, campaign_size)
    wait_for(lambda: _sends(instance, channel) > 500, seconds=60)
    headers = {"X-API-Key": instance.demo["transactional"]["api_key"]}
    waits: list[float] = []
    with requests.Session() as session:
        for index in range(codes):
            answer = session.post(
                f"{instance.base_url}/api/v1/otp/send",
                json={"providerId": str(channel.uuid), "phoneNumber": f"22995{index:06d}"},
                headers=headers,
                timeout=30,
            )
            answer.raise_for_status()
            uuid = answer.json()["messageId"]
            accepted = time.time()
            wait_for(partial(_arrived, instance, uuid), seconds=30, every=0.01)
            waits.append((_arrival(instance, uuid) or 0) - accepted)
    left = campaign_size - _sends(instance, channel)
    with tenant_context(organization):
        Message.objects.filter(channel=channel, status="queued").delete()
    control(instance, "PUT", "switches", {"latency_ms": 0, "webhooks": True})
    worst = percentile(waits, 0.99)
    return [
        Row(
            f"OTP while a campaign of {campaign_size:,} runs on the same channel, p99",
            f"{worst * 1000:.0f} ms (median {percentile(waits, 0.5) * 1000:.0f})",
            "< 1,000 ms",
            worst < 1.0,
            f"{max(left, 0):,} of the campaign still waiting at the end",
        )
    ]


def _arrived(instance: Instance, uuid: str) -> bool:
    return _arrival(instance, uuid) is not None


def _arrival(instance: Instance, uuid: str) -> float | None:
    sends = control(instance, "GET", f"ledger?opaque={uuid}")["sends"]
    return float(sends[0]["at"]) if sends else None
