"""The few periodic tasks that beat sends. Everything else is on the agenda."""

from __future__ import annotations

from django_celery_beat.models import IntervalSchedule, PeriodicTask

# name -> (task, queue, seconds). A tick that is older than its interval is useless: it expires in the queue.
SCHEDULES = {
    "Agenda: start what is due": ("tenants.agenda.tick", "default", 1),
    "Inbound: take up what was left behind": ("messaging.inbound.tasks.sweep", "inbound", 15),
    "Counters: squash": ("messaging.tasks.counts_squash", "default", 30),
    "Idempotency keys: forget those of yesterday": ("messaging.tasks.idempotency_forget", "default", 900),
}


def schedules_ensure() -> None:
    """Create the periodic tasks that are missing; what an operator changed in the admin stays."""
    for name, (task, queue, seconds) in SCHEDULES.items():
        interval, _ = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.get_or_create(
            name=name, defaults={"task": task, "queue": queue, "interval": interval, "expire_seconds": max(seconds, 5)}
        )
