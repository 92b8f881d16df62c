"""The page that operators keep open: every channel, what waits and why, in words; renewed every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import redis
import structlog
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.admin_sites import organization_of
from config.heartbeat import queues_alive
from config.queues import DISPATCH
from config.reasons import reason_said
from messaging.admin.channel_health import queue_text
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.pulse import ChannelPulse, Wait, channel_pulses
from tenants.models import Organization

log = structlog.get_logger(__name__)

SHOWN: Final = 60
_CALM: Final = {Wait.NOTHING, Wait.RATE, Wait.TURN, Wait.SCHEDULED}
_COLOURS: Final = {"connected": "success", "paused": "danger", "pending": "warning", "disconnected": "default"}


def pulse_page(admin: Any, request: HttpRequest) -> HttpResponse:
    """All channels of the organisation, troubled ones first; `?part=1` answers only what is renewed."""
    if not request.user.has_perm("messaging.view_channel"):
        raise PermissionDenied
    trouble_first = Channel.objects.annotate(
        calm=Case(When(status=Channel.Status.CONNECTED, then=Value(1)), default=Value(0), output_field=IntegerField())
    )
    channels = list(trouble_first.order_by("calm", "name", "id")[: SHOWN + 1])
    cards = pulse_cards(channels[:SHOWN], organization_of(request))
    cards.sort(key=lambda card: (card["calm"], -card["pulse"].waits))
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.model._meta,
        "title": _("What is going on"),
        "cards": cards,
        "more": len(channels) > SHOWN,
        "now": timezone.now(),
        "may_change": request.user.has_perm("messaging.change_channel"),
    }
    part = request.GET.get("part") == "1"
    return TemplateResponse(request, "admin/pulse_cards.html" if part else "admin/pulse.html", context)


def pulse_cards(channels: Sequence[Channel], organization: Organization) -> list[dict[str, Any]]:
    """What the page shows of each channel."""
    pulses = channel_pulses(channels=channels, organization_active=organization.is_usable, worker_alive=_worker_alive())
    return [
        {
            "pulse": pulse,
            "channel": pulse.channel,
            "colour": _COLOURS[pulse.channel.status],
            "waits_because": wait_text(pulse),
            "calm": pulse.wait in _CALM,
            "since": since_text(pulse.channel),
            "queued": queue_text(pulse.queue.queued),
            "scheduled": queue_text(pulse.queue.scheduled),
            "in_doubt": queue_text(pulse.queue.in_doubt),
            "oldest": age_text(pulse.queue.oldest_seconds),
            "rate": number_format(round(pulse.rate), force_grouping=True),
            "errors": [
                {
                    "text": reason_said(error.reason) or error.code,
                    "code": error.code,
                    "count": ngettext("%(count)s time", "%(count)s times", error.count)
                    % {"count": number_format(error.count, force_grouping=True)},
                    "at": error.last_at,
                }
                for error in pulse.errors
            ],
        }
        for pulse in pulses
    ]


def _worker_alive() -> bool:
    """Whether a dispatch worker lives. Without Redis nobody knows; the lane's own time tells then."""
    try:
        return queues_alive([DISPATCH])[DISPATCH]
    except redis.RedisError as error:
        log.warning("workers_unknown", error=type(error).__name__)
        return True


def wait_text(pulse: ChannelPulse) -> str:
    """Why messages wait, and until when; empty when nothing waits."""
    channel = pulse.channel
    if pulse.wait is Wait.NOT_CONNECTED:
        return not_connected_text(channel)
    if pulse.wait is Wait.RATE:
        rate = driver_of(channel.kind).default_rate if channel.rate_per_second is None else channel.rate_per_second
        seconds = pulse.queue.queued / rate
        text = _("Goes out at the channel's limit of %(rate)s a second: about %(time)s left.")
        return text % {"rate": rate, "time": age_text(seconds)}
    texts = {
        Wait.NOTHING: "",
        Wait.SUSPENDED: _("Waits because the organisation is suspended."),
        Wait.CAP: _("Waits because the daily cap of %(limit)s is reached (warm-up, or as set); goes on at %(at)s UTC.")
        % {"limit": number_format(pulse.day.limit or 0, force_grouping=True), "at": "00:00"},
        Wait.NO_WORKER: _("Waits because no dispatch worker takes it: is one running?"),
        Wait.TURN: _("On its way."),
        Wait.SCHEDULED: _("Waits for its time: scheduled, or tried again later."),
        Wait.DOUBT: _("The provider has not confirmed some messages; they are decided when the time for that is over."),
    }
    return texts[pulse.wait]


def not_connected_text(channel: Channel) -> str:
    """Who paused it and why; how far the set-up is."""
    if channel.status == Channel.Status.PAUSED:
        who = channel.status_by or _("the platform")
        return _("Waits because paused by %(who)s: %(reason)s") % {
            "who": who,
            "reason": reason_said(channel.status_reason) or "–",
        }
    reason = f": {reason_said(channel.status_reason)}" if channel.status_reason else "."
    return f"{channel.get_status_display()}{reason}"


def since_text(channel: Channel) -> str:
    """Since when the state is what it is."""
    if channel.status_since is None:
        return ""
    return _("since %(at)s") % {"at": date_format(timezone.localtime(channel.status_since), "j M H:i")}


def age_text(seconds: float | None) -> str:
    """A duration in words."""
    if seconds is None:
        return "–"
    if seconds < 60:
        count = max(0, round(seconds))
        return ngettext("%(count)s second", "%(count)s seconds", count) % {"count": count}
    now = timezone.now()
    return timesince(now - timedelta(seconds=seconds), now, depth=2)
