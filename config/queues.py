"""The Celery queues: one list, read by the settings, the workers' command lines and the test that each has a worker."""

from __future__ import annotations

from kombu import Queue

DISPATCH = "dispatch"
DEFAULT = "default"
INBOUND = "inbound"

TASK_QUEUES = [Queue(name) for name in (DISPATCH, DEFAULT, INBOUND)]
TASK_ROUTES = {
    "messaging.dispatch.tasks.*": {"queue": DISPATCH},
    "messaging.inbound.tasks.*": {"queue": INBOUND},
}
