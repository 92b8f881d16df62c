"""The launch planner: what sending a campaign now would do, without sending anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from billing.amounts import insufficient
from billing.pricing import Cost, PriceList, cost_sum
from billing.pricing_sql import price_params
from billing.services.payers import balance_of
from campaigns.audience import audience_last_key
from campaigns.forecast import Batch, Course, Forecast, forecast
from campaigns.models import Campaign, Run
from campaigns.rendering import SqlParts, content_sql
from campaigns.reports import run_totals
from campaigns.services.content import channel_refused, content_check
from campaigns.services.launch_sql import LaunchPlan, Statement, judged_sql, launch_plan, priced_sql
from campaigns.services.progress import ACTIVE, campaign_get
from campaigns.services.zones import DueSql, campaign_quiet_hours, run_local_time, zone_sql
from campaigns.timing import recipient_due
from messaging.dispatch.channel_state import daily_limit
from messaging.dispatch.pacing import WINDOW
from messaging.drivers.base import ContentError
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.reports import channel_days, queue_states
from messaging.services.channels import channel_by_uuid
from messaging.services.content_refusals import content_refused
from tenants.connection import connection
from tenants.errors import ServiceError

_PIECE: Final = 50_000
# The audience is looked through for this long at most; beyond it the numbers are projected from what was seen.
SECONDS: Final = 5.0
# The same for a launch, whose campaign is locked meanwhile.
LAUNCH_SECONDS: Final = 3.0
_ODD: Final = "odd"

_COUNT: Final = """
WITH {judged}
SELECT COALESCE(verdict, ''), zone, count(*), min(key), max(key), tariff, sum(units) FROM (
    SELECT verdict, due_at AS zone, key, {tariff} AS tariff, {units} AS units FROM {source}) AS counted
GROUP BY 1, 2, 6
"""


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """What would happen.

    `recipients`: people who get a message; `to_check`: of these, those whose text is judged one by one at launch.
    `skipped`: reason -> people. `is_exact`: everybody was looked at; otherwise the numbers are projected.
    `rate`: messages per second that the channel makes of its limit, 0 for no limit. `ahead`: messages that the channel
    sends first. `cap_left`: what its daily cap leaves today, None without one. `problems`: what stands in the way.
    """

    recipients: int
    to_check: int
    skipped: Mapping[str, int]
    is_exact: bool
    rate: float
    ahead: int
    cap_left: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    problems: tuple[str, ...] = ()
    # What it costs and what the account that pays has; None when nobody is charged.
    cost: Cost | None = None
    available: Decimal | None = None

    @property
    def credits_suffice(self) -> bool:
        """Whether the account that pays, if there is one, has enough now."""
        return self.cost is None or self.available is None or self.cost.total <= self.available

    @property
    def skipped_total(self) -> int:
        """People who get nothing."""
        return sum(self.skipped.values())


@dataclass(slots=True)
class _Counts:
    by_verdict: Counter[str] = field(default_factory=Counter)
    by_zone: Counter[str] = field(default_factory=Counter)
    # Tariff -> messages, and the units (messages or segments) that are paid.
    by_tariff: Counter[int] = field(default_factory=Counter)
    units: Counter[int] = field(default_factory=Counter)
    is_exact: bool = True


def campaign_plan(*, campaign_id: int, seconds: float = SECONDS, occurrence_at: datetime | None = None) -> CampaignPlan:
    """Plan a launch now, or the occurrence at `occurrence_at`. Raises `NotFound`; refusals are among the `problems`."""
    campaign = campaign_get(campaign_id=campaign_id)
    now = datetime.now(UTC)
    run = Run(campaign=campaign, occurrence_at=occurrence_at or now, phase=Run.Phase.ALL, pk=0)
    counts, problems = _Counts(), _problems(campaign)
    plan: LaunchPlan | None = None
    try:
        channel = channel_by_uuid(schema=connection.schema_name, uuid=campaign.channel.uuid)
        plan = launch_plan(campaign, run, channel)
        counts = _count(plan, now=now, seconds=seconds)
    except ContentError as error:
        problems.append(content_refused(error).message)
    except ServiceError as error:
        problems.append(error.message)
    return replace(_assemble(campaign, run, counts, now=now, problems=problems), **_costs(plan, counts))


def credits_check(campaign: Campaign) -> None:
    """Whether who pays has enough for a launch now. Raises `LimitReached` insufficient_credits, naming what is missing.

    Looks for `LAUNCH_SECONDS` at most and projects the rest. Nothing is reserved here: sending reserves piece by piece.
    """
    channel = channel_by_uuid(schema=connection.schema_name, uuid=campaign.channel.uuid)
    if not channel.is_charged:
        return
    now = datetime.now(UTC)
    plan = launch_plan(campaign, Run(campaign=campaign, occurrence_at=now, phase=Run.Phase.ALL, pk=0), channel)
    if plan.prices is None or plan.account_id is None:
        return
    cost = _cost(plan, plan.prices, _count(plan, now=now, seconds=LAUNCH_SECONDS))
    available = balance_of(plan.account_id)
    if cost.total > available:
        raise insufficient(needed=cost.total, available=available)


def _cost(plan: LaunchPlan, price_list: PriceList, counts: _Counts) -> Cost:
    prices = {price.tariff_id: price for price in price_list.by_prefix.values() if price is not None}
    parts = [(prices[tariff], number, counts.units[tariff]) for tariff, number in counts.by_tariff.items()]
    return cost_sum(parts, unpriced=counts.by_verdict["no_price"])


def _costs(plan: LaunchPlan | None, counts: _Counts) -> dict[str, Any]:
    if plan is None or plan.prices is None or plan.account_id is None:
        return {}
    return {"cost": _cost(plan, plan.prices, counts), "available": balance_of(plan.account_id)}


def _problems(campaign: Campaign) -> list[str]:
    problems = []
    if campaign.channel.status != Channel.Status.CONNECTED:
        problems.append(channel_refused(campaign.channel).message)
    for content in [variant.content for variant in campaign.variants.all()] or [campaign.content]:
        try:
            content_check(channel=campaign.channel, content=content)
        except ServiceError as error:
            problems.append(error.message)
    return problems


def _count(plan: LaunchPlan, *, now: datetime, seconds: float) -> _Counts:
    """Judge the audience piece by piece with the launch's own query, and only count."""
    counts, end, after = _Counts(), time.monotonic() + seconds, 0
    first = 0
    until = audience_last_key(plan.campaign)
    statement = _count_sql(plan, now=now)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, {**statement.params, "after": after, "until": until, "limit": _PIECE})
            rows = cursor.fetchall()
        if not rows:
            return counts
        first = first or min(row[3] for row in rows)
        for verdict, zone, number, _, key, tariff, units in rows:
            counts.by_verdict[verdict] += number
            if tariff is not None and verdict in ("", _ODD):
                counts.by_tariff[tariff] += number
                counts.units[tariff] += int(units)
            if verdict in ("", _ODD):
                counts.by_zone[zone] += number
            after = max(after, key)
        if time.monotonic() > end and after < until:
            return _projected(counts, (after - first + 1) / (until - first + 1))


def _projected(counts: _Counts, share: float) -> _Counts:
    def scaled(part: Counter[Any]) -> Counter[Any]:
        return Counter({name: round(number / share) for name, number in part.items()})

    return _Counts(
        scaled(counts.by_verdict),
        scaled(counts.by_zone),
        scaled(counts.by_tariff),
        scaled(counts.units),
        is_exact=False,
    )


def _count_sql(plan: LaunchPlan, *, now: datetime) -> Statement:
    parts = SqlParts()
    for version in plan.versions:
        content_sql(version.content, parts)
    campaign = plan.campaign
    if campaign.in_recipient_zone:
        zone, params = zone_sql(campaign, address="placed.address", timezone="placed.timezone")
    else:
        zone, params = "%(campaign_zone)s::text", {"campaign_zone": campaign.zone}
    judged = judged_sql(plan, parts, schema=connection.schema_name, now=now, due=DueSql(zone, params))
    if plan.prices is None:
        text = _COUNT.replace("{tariff}", "NULL::bigint").replace("{units}", "0").replace("{source}", "judged")
        return Statement(text.replace("{judged}", judged.sql), judged.params)
    priced = f"{judged.sql},{priced_sql(plan, parts)}".rstrip().rstrip(",")
    text = _COUNT.replace("{tariff}", "tariff").replace("{units}", "units").replace("{source}", "priced")
    return Statement(text.replace("{judged}", priced), {**judged.params, **parts.params, **price_params(plan.prices)})


def _assemble(campaign: Campaign, run: Run, counts: _Counts, *, now: datetime, problems: list[str]) -> CampaignPlan:
    course = _course(campaign, now)
    times = _forecast(campaign, run, counts.by_zone, course)
    cap = course.cap(now)
    skipped = {verdict: number for verdict, number in counts.by_verdict.items() if verdict not in ("", _ODD)}
    return CampaignPlan(
        recipients=counts.by_verdict[""] + counts.by_verdict[_ODD],
        to_check=counts.by_verdict[_ODD],
        skipped=skipped,
        is_exact=counts.is_exact,
        rate=course.rate,
        ahead=int(course.ahead),
        cap_left=None if cap is None else max(0, cap - course.sent_today),
        starts_at=times.starts_at,
        ends_at=times.ends_at,
        problems=tuple(problems),
    )


def _course(campaign: Campaign, now: datetime) -> Course:
    channel, driver = campaign.channel, driver_of(campaign.channel.kind)
    limit = driver.default_rate if channel.rate_per_second is None else channel.rate_per_second
    today = channel_days(channels=[channel], now=now)[channel.pk]

    def cap(moment: datetime) -> int | None:
        return daily_limit(
            driver=driver,
            is_sandbox=channel.is_sandbox,
            daily_cap=channel.daily_cap,
            first_live_send_at=channel.first_live_send_at or (None if channel.is_sandbox else now),
            now=moment,
        )

    # The engine keeps a margin: `rate` messages per WINDOW seconds.
    return Course(now, limit / WINDOW, _ahead(channel), campaign_quiet_hours(campaign), cap, today.sent)


def _ahead(channel: Channel) -> int:
    """Messages that the channel sends first: open ones of its campaigns, exactly, or as far as a queue is counted."""
    runs = Run.objects.filter(campaign__channel_id=channel.pk, status__in=ACTIVE).values_list("pk", flat=True)
    in_runs = sum(totals.open for totals in run_totals(run_ids=list(runs)).values())
    return max(in_runs, queue_states(channel_ids=[channel.pk])[channel.pk].queued)


def _forecast(campaign: Campaign, run: Run, by_zone: Mapping[str, int], course: Course) -> Forecast:
    local_time = run_local_time(campaign, run) if campaign.in_recipient_zone else None
    batches = []
    for name, count in by_zone.items():
        zone = ZoneInfo(name)
        start = max(course.now, run.occurrence_at) if local_time is None else course.now
        due = recipient_due(now=start, zone=zone, local_time=local_time, quiet=course.quiet)
        batches.append(Batch(count, due or start, zone))
    batches.sort(key=lambda batch: batch.release)
    return forecast(batches, replace(course))
