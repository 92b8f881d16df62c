"""Celery finds tasks in modules of this name; what messaging does by the agenda is registered by being imported."""

from messaging.media import receiving, removal
from messaging.services import counters

__all__ = ["counters", "receiving", "removal"]
