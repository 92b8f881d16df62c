"""Celery tasks of the queue `inbound`."""

from __future__ import annotations

from celery import shared_task

from messaging.inbound.sweeping import events_left_behind


@shared_task(name="messaging.inbound.tasks.process")
def process(event_id: int) -> None:
    """Process one stored webhook."""
    from messaging.inbound.processing import event_process

    event_process(event_id=event_id)


@shared_task(name="messaging.inbound.tasks.sweep")
def sweep() -> None:
    """Beat's call: take up what was left behind."""
    inbound_sweep()


def inbound_sweep() -> int:
    """Enqueue the events that were left behind; returns how many."""
    ids = events_left_behind()
    for event_id in ids:
        process.delay(event_id)
    return len(ids)
