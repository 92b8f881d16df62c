"""The few periodic tasks that beat sends. Everything else is on the agenda."""

from __future__ import annotations

from django_celery_beat.models import IntervalSchedule, PeriodicTask

# name -> (task, queue, seconds). A tick that is older than its interval is useless: it expires in the queue.
SCHEDULES = {
    "Agenda: start what is due": ("tenants.agenda.tick", "default", 1),
    "Inbound: take up what was left behind": ("messaging.inbound.tasks.sweep", "inbound", 15),
    "Retention: find organisations with data": ("tenants.tasks.retention_plan", "default", 3600),
}
# Tasks of earlier versions: a schedule that names one would fill the log.
RETIRED = ("messaging.tasks.idempotency_forget", "messaging.tasks.counts_squash", "celery.backend_cleanup")


def schedules_ensure() -> None:
    """Create the periodic tasks that are missing; what an operator changed in the admin stays."""
    PeriodicTask.objects.filter(task__in=RETIRED).delete()
    for name, (task, queue, seconds) in SCHEDULES.items():
        interval, _ = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.get_or_create(
            name=name, defaults={"task": task, "queue": queue, "interval": interval, "expire_seconds": max(seconds, 5)}
        )
