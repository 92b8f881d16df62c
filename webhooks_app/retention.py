"""How long deliveries and their payloads are kept (see `settings.RETENTION_DAYS`)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tenants.services.retention_rules import RowsRule, retention_register
from webhooks_app.models import Delivery, Event

# The last retry leaves after about 28 hours, or a day later when the receiver asks for it.
_FLOOR_DAYS = 3

retention_register(
    RowsRule(
        kind="webhook_bodies",
        label=_("payloads of webhooks"),
        text=_("What was sent to your systems. Without it a delivery cannot be repeated."),
        order=10,
        model=Event,
        age="created_at",
        key="id",
        blank={"data": "'{\"removed\": true}'::jsonb"},
        blanked="data ? 'removed'",
        floor_days=_FLOOR_DAYS,
    ),
    RowsRule(
        kind="webhook_deliveries",
        label=_("log of webhooks"),
        text=_("Each delivery with its attempts. The figures of each webhook stay."),
        order=30,
        model=Delivery,
        age="created_at",
        key="id",
        floor_days=_FLOOR_DAYS,
    ),
    RowsRule(
        kind="webhook_events",
        label=_("events for webhooks"),
        text=_("What happened, without the payload; kept at least as long as the log is of use."),
        order=35,
        model=Event,
        age="created_at",
        key="id",
        floor_days=_FLOOR_DAYS,
    ),
)
