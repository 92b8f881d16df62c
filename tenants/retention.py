"""What the platform keeps in its own tables, and for how long (see `settings.RETENTION_DAYS`)."""

from __future__ import annotations

from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.utils.translation import gettext_lazy as _

from tenants.models import InboundEvent
from tenants.services.retention_rules import RowsRule, retention_register

# Events that nobody has finished with are tried again for hours; they stay whatever their age.
_OPEN = "status IN ('received', 'failed')"

retention_register(
    RowsRule(
        kind="inbound_bodies",
        label=_("raw bodies from providers"),
        text=_("What providers posted, as it came. The line that says when it came and what became of it stays."),
        order=10,
        model=InboundEvent,
        age="received_at",
        key="received_at",
        keep=_OPEN,
        blank={"body": "''::bytea"},
        blanked="body = ''::bytea",
    ),
    RowsRule(
        kind="inbound_events",
        label=_("events from providers"),
        text=_("When something came, and what could not be processed."),
        order=20,
        model=InboundEvent,
        age="received_at",
        key="received_at",
        keep=_OPEN,
    ),
    RowsRule(
        kind="failed_logins",
        label=_("failed logins"),
        text=_("Addresses from which wrong passwords came."),
        order=30,
        model=AccessAttempt,
        age="attempt_time",
        key="id",
    ),
    RowsRule(
        kind="sessions",
        label=_("ended sessions"),
        text=_("Logins that have run out."),
        order=40,
        model=Session,
        age="expire_date",
        key="expire_date",
    ),
)
