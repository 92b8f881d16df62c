"""The Celery application. Time is never in the broker: no ETA, no countdown (see `tenants.agenda`)."""

from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_init

from config.garbage import keep_what_is_here
from config.heartbeat import Heartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("griot")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would close the connection before and after every task: a new server process each time, which costs more than
# most tasks. Django's own rules for a connection's end are applied below instead.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
app.steps["consumer"].add(Heartbeat)
app.autodiscover_tasks()
app.autodiscover_tasks(["messaging.dispatch", "messaging.inbound"])


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Celery replaces the root logger's handlers unless somebody answers this signal."""


@worker_init.connect
def keep_what_the_start_has_made(**kwargs: Any) -> None:
    """Before processes are forked, so that their collections do not copy the memory that they share."""
    keep_what_is_here()


@task_prerun.connect
def start_with_a_usable_connection(**kwargs: Any) -> None:
    """As at the start of a request: broken and old connections are closed, and none carries a schema from before."""
    from django.db import close_old_connections

    from tenants.connection import connection

    close_old_connections()
    connection.set_schema_to_public()
