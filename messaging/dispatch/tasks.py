"""The dispatch queue's only task, and the engine's end with its worker."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown

from messaging.dispatch.runtime import engine, engine_stop
from messaging.dispatch.wake import lane_wake_again
from tenants.agenda import LANE
from tenants.lanes.wake import lanes_woken


@shared_task(name="messaging.dispatch.tasks.pump")
def pump(schema: str, channel_id: int) -> None:
    """Hand the lane, and the others that are woken, to this process's engine. Lanes that others own stay theirs."""
    for lane in lanes_woken(LANE, schema, channel_id, lane_wake_again):
        engine().pump(*lane)


@worker_shutdown.connect
def stop_engine(**kwargs: Any) -> None:
    """A warm shutdown finishes the sends that are under way."""
    engine_stop()
