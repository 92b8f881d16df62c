"""Status webhooks in batches of 100: how many updates a second are applied, and how fast the POST is answered."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from bench.engine import channel_make, queue_messages
from bench.platform_access import control, wait_for
from bench.table import Row, percentile
from config.stack.instance import Instance

BATCH = 100


def rows_statuses(instance: Instance, organization: Any, *, messages: int) -> list[Row]:
    """Send `messages` without statuses, then post `sent`, `delivered` and `read` for each in signed batches."""
    from django.db.models import Max
    from django_tenants.utils import tenant_context

    from messaging.models import Message
    from tenants.models import InboundEvent

    control(instance, "PUT", "switches", {"webhooks": False})
    channel = channel_make(organization, rate_per_second=0)
    queue_messages(organization, channel, messages)

    def sent() -> bool:
        with tenant_context(organization):
            return not Message.objects.filter(channel=channel, status__in=["queued", "processing"]).exists()

    wait_for(sent, seconds=300)
    with tenant_context(organization):
        known = list(Message.objects.filter(channel=channel).values_list("provider_id", "uuid", "address"))
    bodies = [_body(channel.external_id, known[start : start + BATCH], status)
              for start in range(0, len(known), BATCH) for status in ("sent", "delivered", "read")]  # fmt: skip
    secret = instance.env["META_APP_SECRET"].encode()
    answers: list[float] = []
    queue = iter(bodies)
    lock = threading.Lock()

    def post() -> None:
        with requests.Session() as session:
            while True:
                with lock:
                    body = next(queue, None)
                if body is None:
                    return
                signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
                began = time.monotonic()
                answer = session.post(
                    f"{instance.base_url}/webhook/meta",
                    data=body,
                    headers={"X-Hub-Signature-256": signature, "Content-Type": "application/json"},
                    timeout=30,
                )
                answer.raise_for_status()
                answers.append(time.monotonic() - began)

    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        # A refused body ends the measurement: it would be missing among what is applied.
        for running in [pool.submit(post) for _ in range(4)]:
            running.result()
    last = InboundEvent.objects.aggregate(last=Max("id"))["last"]
    wait_for(
        lambda: not InboundEvent.objects.filter(id__lte=last, status__in=["received", "failed"]).exists(), seconds=300
    )
    elapsed = time.monotonic() - started
    with tenant_context(organization):
        unread = Message.objects.filter(channel=channel).exclude(status="read").count()
    if unread:
        told = list(InboundEvent.objects.exclude(status="done").values_list("status", "attempts", "problems")[:3])
        raise RuntimeError(f"{unread} messages are not read; {told}")
    control(instance, "PUT", "switches", {"webhooks": True})
    rate = len(bodies) * BATCH / elapsed
    median = percentile(answers, 0.5)
    return [
        Row("status webhooks, batches of 100: applied", f"{rate:,.0f} updates/s", ">= 3,000 updates/s", rate >= 3000),
        Row("status webhooks: median answer", f"{median * 1000:.0f} ms", "< 250 ms", median < 0.25,
            f"p99 {percentile(answers, 0.99) * 1000:.0f} ms"),
    ]  # fmt: skip


def _body(phone_number_id: str, messages: list[tuple[str | None, Any, str]], status: str) -> bytes:
    now = str(int(time.time()))
    statuses = [
        {"id": provider_id, "status": status, "timestamp": now, "recipient_id": address,
         "biz_opaque_callback_data": str(uuid)}
        for provider_id, uuid, address in messages
    ]  # fmt: skip
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "22951000000", "phone_number_id": phone_number_id},
        "statuses": statuses,
    }
    entry = {"id": "980215774401239", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
