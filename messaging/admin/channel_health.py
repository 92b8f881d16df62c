"""How channels are doing today, with their risk and warm-up in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.reasons import reason_said
from messaging.dispatch.channel_state import WARMUP_CAPS, daily_limit, warmup_day
from messaging.drivers.base import Capability
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.reports import QUEUE_COUNTED, ChannelDay, Risk, channel_days, channel_risks, queue_states
from messaging.services.token_life import WARN_BEFORE, token_is_renewed

_RAISED, _HIGH = 25, 60
_COLOURS = {"connected": "success", "paused": "danger", "pending": "warning", "disconnected": "default"}


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """What a page shows of one channel. `risk` is 0 to 100; days are UTC days, like the caps."""

    day: ChannelDay
    queue: int
    queue_text: str
    risk: int
    risk_text: str
    warmup_text: str
    status_colour: str
    # What is wrong with the access token or will be soon; "" when nothing is.
    token_text: str

    @property
    def risk_level(self) -> str:
        """low, raised or high."""
        return "high" if self.risk >= _HIGH else "raised" if self.risk >= _RAISED else "low"

    @property
    def risk_bar(self) -> str:
        """CSS class of the bar."""
        return {"high": "gr-bad", "raised": "gr-warn"}.get(self.risk_level, "")


def channels_health(*, channels: Iterable[Channel]) -> dict[int, ChannelHealth]:
    """Channel id -> health, in three queries however many channels there are."""
    rows = list(channels)
    days, risks = channel_days(channels=rows), channel_risks(channels=rows)
    queues = {pk: state.queued for pk, state in queue_states(channel_ids=[row.pk for row in rows]).items()}
    return {
        channel.pk: ChannelHealth(
            day=days[channel.pk],
            queue=queues[channel.pk],
            queue_text=queue_text(queues[channel.pk]),
            risk=risks[channel.pk].score,
            risk_text=risk_text(risks[channel.pk]),
            warmup_text=warmup_text(channel),
            status_colour=_COLOURS[channel.status],
            token_text=token_trouble(channel),
        )
        for channel in rows
    }


def queue_text(queue: int) -> str:
    """How many wait to go out now: "more than 10,000" where counting stops."""
    return _("more than %(count)s") % {"count": _number(QUEUE_COUNTED)} if queue > QUEUE_COUNTED else _number(queue)


def risk_text(risk: Risk) -> str:
    """What the number is made of, and what to do."""
    causes = [_cause(what, count) for what, count, points in risk.parts if points]
    if not causes:
        return _("Nothing to worry about in the last 24 hours.")
    listed = ", ".join(causes)
    if risk.score >= _HIGH:
        return _(
            "High, last 24 hours: %(causes)s. Slow down and find out why, before the provider blocks the number."
        ) % {"causes": listed}
    if risk.score >= _RAISED:
        return _("Raised, last 24 hours: %(causes)s. Look at the failed messages.") % {"causes": listed}
    return _("Low, last 24 hours: %(causes)s.") % {"causes": listed}


def _cause(what: str, count: int) -> str:
    texts = {
        "failed": ngettext("%(count)s failed message", "%(count)s failed messages", count),
        "spam": ngettext("%(count)s spam report", "%(count)s spam reports", count),
        "quality": ngettext("%(count)s quality complaint", "%(count)s quality complaints", count),
        "template_pause": ngettext("%(count)s paused template", "%(count)s paused templates", count),
    }
    return texts[what] % {"count": _number(count)}


def warmup_text(channel: Channel) -> str:
    """How many messages the channel may send today, and why."""
    now = timezone.now()
    driver = driver_of(channel.kind)
    limit = daily_limit(
        driver=driver,
        is_sandbox=channel.is_sandbox,
        daily_cap=channel.daily_cap,
        first_live_send_at=channel.first_live_send_at,
        now=now,
    )
    if channel.daily_cap is not None:
        return _("At most %(count)s messages a day, as set here.") % {"count": _number(channel.daily_cap)}
    if channel.is_sandbox:
        return _("A sandbox channel needs no warm-up.")
    if limit is None:
        warm = Capability.WARMUP in driver.capabilities
        return _("Warm-up is over: no daily cap.") if warm else _("This kind of channel needs no warm-up.")
    day = warmup_day(channel.first_live_send_at, now) + 1
    return _(
        "Warm-up, day %(day)s of %(days)s: at most %(count)s messages today. "
        "New numbers that send a lot at once get blocked, so the cap grows day by day."
    ) % {"day": day, "days": len(WARMUP_CAPS), "count": _number(limit)}


def token_trouble(channel: Channel) -> str:
    """What is wrong with the channel's access token or will be soon, and what to do; "" when nothing is."""
    ends = channel.token_expires_at
    if channel.token_problem:
        return _("The access token has a problem: %(problem)s Enter a new one.") % {
            "problem": reason_said(channel.token_problem)
        }
    if ends is None or ends > timezone.now() + WARN_BEFORE:
        return ""
    if ends <= timezone.now():
        return _("The access token has ended. Enter a new one.")
    if token_is_renewed(channel):
        return ""
    return _("The access token ends in %(time)s. Enter a new one before.") % {"time": timeuntil(ends)}


def token_text(channel: Channel) -> str:
    """How long the channel's access token is valid."""
    if not channel.secrets.get("access_token"):
        return "–"
    if channel.token_expires_at is None:
        return _("no end known")
    until = date_format(timezone.localtime(channel.token_expires_at), "DATETIME_FORMAT")
    return _("until %(time)s, renewed by itself") % {"time": until} if token_is_renewed(channel) else until


def _number(value: int) -> str:
    return number_format(value, force_grouping=True)
