"""Celery finds tasks in modules of this name: importing it registers what the agenda does for campaigns."""

from campaigns.services import runs, schedules  # noqa: F401  agenda handlers
