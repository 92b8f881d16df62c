"""Celery finds tasks in modules of this name; the agenda's own live next to the agenda."""

from celery import shared_task

from tenants.agenda import run_item, tick
from tenants.services import organizations, retention

__all__ = ["organizations", "retention_plan", "run_item", "tick"]


@shared_task(name="tenants.tasks.retention_plan")
def retention_plan() -> None:
    """Beat's call: put organisations that have got data since the last time on the agenda."""
    retention.retention_plan()
