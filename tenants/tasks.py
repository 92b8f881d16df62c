"""Celery finds tasks in modules of this name; the agenda's own live next to the agenda."""

from tenants.agenda import run_item, tick

__all__ = ["run_item", "tick"]
