"""What the two start pages show."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any, Final

from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone

from messaging.admin.channel_health import channels_health, token_trouble
from messaging.models import Channel
from messaging.reports import day_start
from messaging.services.sent_history import HistoryFilter, sent_totals
from messaging.services.token_life import tokens_in_trouble
from tenants.auth import own_history_of
from tenants.models import AgendaItem, ChannelHealth, InboundEvent, Organization, SupportAccess
from tenants.services.organizations import customer_organizations
from webhooks_app.models import Endpoint

# More cards than this are no overview; the channel list has them all.
CHANNELS_SHOWN: Final = 30
TROUBLE_SHOWN: Final = 8
_COUNTED: Final = 1_000
# A receiver that is down for a moment is no news: what it missed is delivered by itself.
_WEBHOOK_FAILING: Final = timedelta(hours=1)


def organization_dashboard(request: HttpRequest) -> dict[str, Any]:
    """Today's figures per channel, the worst channels first, and their sum; webhooks that nothing reaches."""
    webhooks = _webhooks_in_trouble() if request.user.has_perm("webhooks_app.view_endpoint") else []
    if not request.user.has_perm("messaging.view_channel"):
        return {"cards": [], "totals": None, "webhooks": webhooks}
    tokens = list(tokens_in_trouble()[:TROUBLE_SHOWN])
    trouble_first = Channel.objects.annotate(works=Count("pk", filter=Q(status=Channel.Status.CONNECTED)))
    channels = list(trouble_first.order_by("works", "name")[: CHANNELS_SHOWN + 1])
    own = own_history_of(request.user)
    if own is not None and channels:
        return {
            "webhooks": [],
            "totals": sent_totals(HistoryFilter(membership_id=own, since=day_start(timezone.now()))),
            "cards": [],
            "own": True,
            "today": timezone.now().astimezone(UTC),
            "may_send": request.user.has_perm("messaging.add_message"),
            "may_connect": False,
        }
    health = channels_health(channels=channels)
    names = ("accepted", "sent", "delivered", "failed", "received")
    return {
        "webhooks": webhooks,
        "tokens": [(channel, text) for channel in tokens if (text := token_trouble(channel))],
        "totals": {name: sum(getattr(item.day, name) for item in health.values()) for name in names},
        "cards": [{"channel": channel, "health": health[channel.pk]} for channel in channels[:CHANNELS_SHOWN]],
        "today": timezone.now().astimezone(UTC),
        "more_channels": len(channels) > CHANNELS_SHOWN,
        "may_send": request.user.has_perm("messaging.add_message"),
        "may_connect": request.user.has_perm("messaging.add_channel"),
    }


def _webhooks_in_trouble() -> list[Endpoint]:
    """Switched off by us, or without a success for a while: those that somebody has to look at, the longest first."""
    failing = Q(is_active=True, failing_since__lt=timezone.now() - _WEBHOOK_FAILING)
    rows = Endpoint.objects.filter(Q(is_active=False) & ~Q(disabled_reason="") | failing, deleted_at__isnull=True)
    return list(rows.order_by("is_active", "failing_since", "pk")[:TROUBLE_SHOWN])


def public_dashboard(request: HttpRequest) -> dict[str, Any]:
    """Organisations by state, and what needs a super-admin's eye."""
    now = timezone.now()
    states = customer_organizations().aggregate(
        active=Count("pk", filter=Q(status=Organization.Status.ACTIVE)),
        suspended=Count("pk", filter=Q(status=Organization.Status.SUSPENDED)),
        deleted=Count("pk", filter=Q(status=Organization.Status.DELETED)),
    )
    late = AgendaItem.objects.filter(due_at__lt=now - timedelta(minutes=1)).order_by()
    waiting = ChannelHealth.objects.select_related("organization").filter(organization__status="active")
    return {
        "oldest": list(waiting.filter(queued__gt=0).order_by("oldest_at")[:TROUBLE_SHOWN]),
        "paused": list(waiting.filter(status="paused").order_by("-since")[:TROUBLE_SHOWN]),
        "states": states,
        "late": late[:_COUNTED].count(),
        "failing": AgendaItem.objects.exclude(last_error="").order_by()[:_COUNTED].count(),
        "events_waiting": InboundEvent.objects.filter(
            status__in=["received", "failed"], received_at__lt=now - timedelta(minutes=1)
        )
        .order_by()[:_COUNTED]
        .count(),
        "visits": list(
            SupportAccess.objects.filter(entered_at__isnull=False).select_related("user", "organization")[:5]
        ),
        "newest": list(customer_organizations().order_by("-created_at")[:8]),
    }
