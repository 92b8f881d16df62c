"""Reading the audit log: filters by its indexes, and the actions that occur in it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from audit.models import AuditEntry

# Jumps from action to action in the index: a list of what occurs without reading the table.
_ACTIONS = """
WITH RECURSIVE found AS (
    (SELECT action FROM audit_auditentry ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (SELECT entry.action FROM audit_auditentry entry WHERE entry.action > found.action
            ORDER BY entry.action LIMIT 1)
    FROM found WHERE found.action IS NOT NULL)
SELECT action FROM found WHERE action IS NOT NULL
"""


def entries_of(
    *,
    action: str | None = None,
    object_types: list[str] | None = None,
    object_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Entries of the current schema, newest first; slice it. `until` is not included."""
    rows = AuditEntry.objects.order_by("-id")
    if action is not None:
        rows = rows.filter(action=action)
    if object_types is not None:
        rows = rows.filter(object_type__in=object_types)
    if object_id is not None:
        rows = rows.filter(object_id=object_id)
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    return rows if until is None else rows.filter(created_at__lt=until)


def actions_recorded() -> list[str]:
    """The actions that occur in the current schema's log, in alphabetical order."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIONS)
        return [action for (action,) in cursor.fetchall()]
