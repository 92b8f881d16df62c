"""Beat's scheduler: the schedules of the database, and those read last while the database is away."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final

from django.db import Error
from django_celery_beat.schedulers import SCHEDULE_SYNC_MAX_INTERVAL, DatabaseScheduler

log = logging.getLogger(__name__)

# Beat looks at its schedules several times a second: not every time, while the database is away.
_RETRY_SECONDS: Final = 5


class Scheduler(DatabaseScheduler):
    """django-celery-beat's scheduler, but a database that is away when schedules are read again does not end beat.

    The library catches errors of the database when it asks whether anything changed and when it writes last runs, not
    when it reads all schedules, which it does after every change and every five minutes (release 2.9).
    """

    def all_as_schedule(self) -> dict[str, Any]:
        """Name -> entry; what was read last when the database cannot be asked, and asks again soon.

        Raises `django.db.Error` when nothing was read before: then there is nothing to go on with.
        """
        try:
            self._schedule: dict[str, Any] | None = super().all_as_schedule()
        except Error as error:
            if self._schedule is None:
                raise
            log.warning("schedules not read, going on with the last ones", extra={"error": type(error).__name__})
            self._last_full_sync -= timedelta(seconds=SCHEDULE_SYNC_MAX_INTERVAL - _RETRY_SECONDS)
        return self._schedule
