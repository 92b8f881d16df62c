"""Beat goes on with the schedules that it has while the database is away, and reads them once it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils.module_loading import import_string
from django_celery_beat.models import PeriodicTask

from config.celery import app
from tenants.beat import SCHEDULES, schedules_ensure

RETENTION = "Retention: find organisations with data"


@contextmanager
def database_away() -> Iterator[list[str]]:
    """No statement gets through; lists those that were tried."""
    tried: list[str] = []

    def refuse(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        tried.append(sql)
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(refuse):
        yield tried


@pytest.fixture
def scheduler(committed: Any) -> Iterator[Any]:
    """What beat makes at its start, of the class that beat is told to use. It closes connections: no transaction."""
    schedules_ensure()
    yield import_string(settings.CELERY_BEAT_SCHEDULER)(app=app)
    PeriodicTask.objects.all().delete()
    schedules_ensure()


def read_long_ago(scheduler: Any) -> None:
    scheduler._last_full_sync -= timedelta(minutes=6)


def test_schedules_that_cannot_be_read_again_are_those_read_before(scheduler):
    assert set(scheduler.schedule) == set(SCHEDULES)
    read_long_ago(scheduler)
    with database_away() as tried:
        assert set(scheduler.schedule) == set(SCHEDULES)
    assert len(tried) > 1, "it asked for more than whether anything changed"


def test_they_are_read_soon_after_the_database_is_back(scheduler):
    read_long_ago(scheduler)
    with database_away():
        assert RETENTION in scheduler.schedule
    # An update that tells nobody, so that only a full reading can find it.
    PeriodicTask.objects.filter(name=RETENTION).update(enabled=False)
    assert RETENTION in scheduler.schedule, "it asks without a pause"
    scheduler._last_full_sync -= timedelta(seconds=5)
    assert RETENTION not in scheduler.schedule


def test_without_schedules_from_before_beat_does_not_start(committed):
    with database_away(), pytest.raises(OperationalError):
        import_string(settings.CELERY_BEAT_SCHEDULER)(app=app)
