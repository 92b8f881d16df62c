"""The dispatch queue's only task, and the engine's end with its worker."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown

from messaging.dispatch.runtime import engine, engine_stop
from messaging.dispatch.wake import lane_woken


@shared_task(name="messaging.dispatch.tasks.pump")
def pump(schema: str, channel_id: int) -> None:
    """Hand the lane to this process's engine. If another process owns the lane, nothing happens."""
    lane_woken(schema, channel_id)
    engine().pump(schema, channel_id)


@worker_shutdown.connect
def stop_engine(**kwargs: Any) -> None:
    """A warm shutdown finishes the sends that are under way."""
    engine_stop()
