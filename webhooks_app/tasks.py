"""The webhooks queue's task, and the pump's end with its worker."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown

from webhooks_app.pump.runtime import deliverer, deliverer_stop
from webhooks_app.wake import endpoints_woken


@shared_task(name="webhooks_app.tasks.pump")
def pump(schema: str, endpoint_id: int) -> None:
    """Hand the endpoint's lane, and the others that are woken, to this process's pump; what others own stays theirs."""
    for lane in endpoints_woken(schema, endpoint_id):
        deliverer().pump(*lane)


@worker_shutdown.connect
def stop_deliverer(**kwargs: Any) -> None:
    """A warm shutdown finishes the requests that are under way."""
    deliverer_stop()
