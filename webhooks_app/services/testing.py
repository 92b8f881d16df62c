"""A test delivery: really signed, really sent, at once, and logged like any other."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from config.egress import UrlRefused, networks_read, resolve_public
from webhooks_app.catalogue import TEST_EVENT, Surface
from webhooks_app.models import Attempt, Delivery, Endpoint, Event
from webhooks_app.pump.outcomes import Answer, Result, result_of
from webhooks_app.pump.redaction import head_redacted
from webhooks_app.pump.request import DeliveryRequest, request_build, secrets_valid
from webhooks_app.pump.transport import Transport
from webhooks_app.services.endpoints import endpoint_get


@dataclass(frozen=True, slots=True)
class TestDelivery:
    """How the test went: `status_code` is None when no answer came, `error` then says why."""

    delivery: Delivery
    succeeded: bool
    status_code: int | None
    latency_ms: int
    error: str
    response_head: str


def endpoint_test(*, endpoint_id: int) -> TestDelivery:
    """Send `webhook.test` now, once, also when the endpoint is off. One HTTP call: not inside a transaction.

    It counts neither in the statistics nor for the endpoint's health. Raises `NotFound`.
    """
    endpoint = endpoint_get(id=endpoint_id)
    event = Event.objects.create(type=TEST_EVENT, is_test=True, data=test_data(endpoint))
    event.refresh_from_db(fields=["created_at"])
    delivery = Delivery.objects.create(
        endpoint=endpoint, event_id=event.pk, event_type=TEST_EVENT, status=Delivery.Status.SENDING, attempts=1, fence=0
    )
    delivery.refresh_from_db()
    now = timezone.now()
    request = request_build(
        surface=endpoint.surface,
        secrets_valid=secrets_valid(endpoint.secrets, endpoint.previous_until, now),
        delivery_uuid=str(delivery.uuid),
        event_type=TEST_EVENT,
        data=event.data,
        happened_at=event.created_at,
        is_test=True,
        timestamp=int(now.timestamp()),
    )
    result = result_of(
        delivery_id=delivery.pk, attempts=1, retry_limit=0, answer=_send(endpoint, request), now=time.time()
    )
    return _written(endpoint, delivery, result)


def test_data(endpoint: Endpoint) -> dict[str, Any]:
    """The payload: for marketing as its document has it, else in the neutral form."""
    message = "This is a test webhook delivery"
    if endpoint.surface == Surface.MARKETING:
        return {"message": message, "webhook_id": endpoint.pk, "webhook_name": endpoint.name}
    return {"message": message, "webhook": {"id": str(endpoint.uuid), "name": endpoint.name}}


def _send(endpoint: Endpoint, request: DeliveryRequest) -> Answer:
    try:
        pinned = resolve_public(endpoint.url, allowed_networks=networks_read(settings.EGRESS_ALLOWED_NETWORKS))
    except UrlRefused as error:
        return Answer(time.time(), 0.0, error=error.message)

    async def exchange() -> Answer:
        transport = Transport()
        try:
            return await transport.post(pinned, headers=request.headers, body=request.body, timeout=endpoint.timeout)
        finally:
            await transport.close()

    return asyncio.run(exchange())


def _written(endpoint: Endpoint, delivery: Delivery, result: Result) -> TestDelivery:
    answer = result.answer
    latency, head = round(answer.latency * 1000), head_redacted(answer.head, endpoint.secrets.values())
    with transaction.atomic():
        Delivery.objects.filter(pk=delivery.pk).update(
            status=result.status,
            fence=None,
            due_at=None,
            finished_at=timezone.now(),
            status_code=answer.code,
            latency_ms=latency,
            error=result.error,
        )
        Attempt.objects.create(
            delivery_id=delivery.pk,
            number=1,
            at=datetime.fromtimestamp(answer.at, UTC),
            latency_ms=latency,
            status_code=answer.code,
            response_head=head,
            error=result.error,
        )
    delivery.refresh_from_db()
    return TestDelivery(delivery, result.status == "succeeded", answer.code, latency, result.error, head)
