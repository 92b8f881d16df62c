"""Having an endpoint's lane looked at."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.utils import timezone

from tenants.agenda import WEBHOOK_LANE
from tenants.connection import connection
from tenants.models import AgendaItem
from webhooks_app.wake import endpoints_wake


def lane_look(*, endpoint_id: int) -> None:
    """At once after the commit, and by the agenda if that wake-up is lost."""
    schema = connection.schema_name
    AgendaItem.objects.filter(schema=schema, kind=WEBHOOK_LANE, key=str(endpoint_id)).update(due_at=timezone.now())
    transaction.on_commit(partial(endpoints_wake, schema, [endpoint_id]))
