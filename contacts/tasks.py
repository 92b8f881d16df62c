"""Celery finds tasks in modules of this name: importing it registers what the agenda does for contacts."""

from contacts.services import import_runs, jobs  # noqa: F401  agenda handlers
