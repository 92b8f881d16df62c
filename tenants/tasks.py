"""Celery finds tasks in modules of this name; the agenda's own live next to the agenda."""

from tenants.agenda import run_item, tick
from tenants.services import organizations  # noqa: F401  registers its agenda handler

__all__ = ["run_item", "tick"]
