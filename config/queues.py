"""The Celery queues: one list, read by the settings, the workers' command lines and the test that each has a worker."""

from __future__ import annotations

from kombu import Queue

DISPATCH = "dispatch"
DEFAULT = "default"
INBOUND = "inbound"
WEBHOOKS = "webhooks"

TASK_QUEUES = [Queue(name) for name in (DISPATCH, DEFAULT, INBOUND, WEBHOOKS)]
TASK_ROUTES = {
    "messaging.dispatch.tasks.*": {"queue": DISPATCH},
    "messaging.inbound.tasks.*": {"queue": INBOUND},
    "webhooks_app.tasks.*": {"queue": WEBHOOKS},
}
