"""The Celery application. Time is never in the broker: no ETA, no countdown (see `tenants.agenda`)."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun

from config.heartbeat import Heartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("griot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["consumer"].add(Heartbeat)
app.autodiscover_tasks()
app.autodiscover_tasks(["messaging.dispatch", "messaging.inbound"])


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Celery replaces the root logger's handlers unless somebody answers this signal."""


@task_prerun.connect
def start_in_public_schema(**kwargs: Any) -> None:
    """A worker's connection must not carry the previous task's organisation into the next one."""
    from tenants.connection import connection

    connection.set_schema_to_public()
