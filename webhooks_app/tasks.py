"""The webhooks queue's task, and the pump's end with its worker."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown

from webhooks_app.pump.runtime import deliverer, deliverer_stop
from webhooks_app.wake import endpoint_woken


@shared_task(name="webhooks_app.tasks.pump")
def pump(schema: str, endpoint_id: int) -> None:
    """Hand the endpoint's lane to this process's pump. If another process owns the lane, nothing happens."""
    endpoint_woken(schema, endpoint_id)
    deliverer().pump(schema, endpoint_id)


@worker_shutdown.connect
def stop_deliverer(**kwargs: Any) -> None:
    """A warm shutdown finishes the requests that are under way."""
    deliverer_stop()
