"""The statement that queues the next piece of a run's audience: read, judge, render, insert, count, in one round trip.

It extends the insert of `messaging.services.insert`: who must not be written to, and what follows an insert, is said
there once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from billing.credits_sql import HOLD, SHORT
from billing.pricing import PriceList
from billing.pricing_sql import TARIFF_OF, UNITS, price_params
from campaigns.audience import AudienceQuery, audience_query
from campaigns.models import Campaign, Run, Variant
from campaigns.rendering import SqlParts, ValueLimits, content_sql, odd_sql, value_limits
from campaigns.services.charging import campaign_charge, campaign_member
from campaigns.services.zones import DueSql, due_sql
from messaging.drivers.base import Driver
from messaging.models import MessageTemplate
from messaging.models.message import PRIORITY_CAMPAIGN
from messaging.services.channels import ChannelSnapshot
from messaging.services.insert import (
    COUNTED,
    LOOKED_AFTER,
    OPTED_OUT,
    SUPPRESSED,
    WINDOW_OPEN,
    statement_fill,
    statement_parts,
)
from messaging.services.template_guard import template_category
from tenants.connection import connection

MARKETING: Final = MessageTemplate.Category.MARKETING
# Walks through 0 to 99 in leaps: any 100 recipients in a row are spread exactly by the percentages, and few ones well.
_STRIDE: Final = 61

# Who gets it and who does not; shared by the launch and by the planner, which only counts.
_JUDGED: Final = """
picked AS MATERIALIZED ({audience}),
placed AS (
    SELECT picked.*, (((%(position)s + row_number() OVER (ORDER BY key) - 1) * {stride}) %% 100) AS place FROM picked),
valued AS (
    SELECT placed.*, {variant} AS variant, {due} AS due_at{values}
    FROM placed WHERE {taken}),
given AS MATERIALIZED (
    SELECT valued.*, {window_from} AS window_from,
           CASE WHEN held IS NOT NULL THEN held
                WHEN address IS NULL THEN 'no_address'
                WHEN address = %(sender)s THEN 'recipient_is_sender'
                ELSE NULL END AS unreachable
    FROM valued),
judged AS MATERIALIZED (
    SELECT given.*,
           CASE WHEN unreachable IS NOT NULL THEN unreachable
                WHEN {suppressed} THEN 'suppressed'
                WHEN %(is_marketing)s AND {opted_out} THEN 'opted_out'
                WHEN window_from IS NOT NULL AND NOT {window_open} THEN 'window_closed'
                WHEN {odd} THEN 'odd' END AS verdict
    FROM given)"""

# The same rows with their content and its price, when somebody pays; without a price nothing is sent there.
_PRICED: Final = f"""
{TARIFF_OF.replace("{rows}", "judged")},
written AS MATERIALIZED (
    SELECT judged.key, contact_id, address, variant, due_at, detail, verdict, {{type}} AS content_type,
           CASE WHEN verdict IS NULL OR verdict = 'odd' THEN {{content}} END AS message
    FROM judged),
priced AS MATERIALIZED (
    SELECT written.key, contact_id, address, variant, due_at, detail, content_type, message, tariff,
           {UNITS.replace("{content}", "message")} AS units, price,
           CASE WHEN price IS NULL AND (verdict IS NULL OR verdict = 'odd') THEN 'no_price' ELSE verdict END AS verdict
    FROM written LEFT JOIN tariff_of USING (key)),"""  # noqa: S608  our own text

# What is done with `judged` rows: the columns of an audience, variant, due_at, type, content and verdict.
_QUEUE: Final = """{priced}
inserted AS (
    INSERT INTO {schema}.messaging_message
        (uuid, channel_id, contact_id, direction, status, priority, address, type, content, is_sensitive, origin,
         is_marketing, due_at, queued_at, campaign_run_id, campaign_variant_id, membership_id{credit_columns})
    SELECT uuidv7(), %(channel)s, contact_id, 'out', CASE WHEN due_at IS NULL THEN 'queued' ELSE 'scheduled' END,
           %(priority)s, address, {type}, {content}, false, 'campaign', %(is_marketing)s, due_at, %(now)s,
           %(run)s, variant, %(membership)s{credit_values}
    FROM {source} WHERE verdict IS NULL ORDER BY key
    ON CONFLICT (campaign_run_id, address) WHERE campaign_run_id IS NOT NULL DO NOTHING
    RETURNING campaign_variant_id, due_at{price}),
skipped AS (
    INSERT INTO {schema}.campaigns_skippedrecipient (run_id, address, contact_id, reason, detail)
    SELECT %(run)s, COALESCE(address, '#' || contact_id), contact_id, verdict, left(detail, 300)
    FROM {source} WHERE verdict <> 'odd' ORDER BY key
    ON CONFLICT (run_id, address) DO NOTHING
    RETURNING reason),
run_counted AS (
    INSERT INTO {schema}.messaging_runcount (run_id, variant_id, minute, metric, count)
    SELECT %(run)s, COALESCE(campaign_variant_id, 0), date_trunc('minute', now()), 'accepted', count(*)
    FROM inserted GROUP BY campaign_variant_id
    UNION ALL
    SELECT %(run)s, 0, date_trunc('minute', now()), 'held.' || reason, count(*) FROM skipped GROUP BY reason),
{counted},
{looked_after}{hold}
SELECT (SELECT count(*) FROM inserted), (SELECT count(*) FROM inserted WHERE due_at IS NULL), {short}"""
# The parts of the statement that are there only when somebody pays.
_CHARGED: Final = {
    "credit_columns": ", credit_account_id, price, credit_state",
    "credit_values": ", %(account)s, price * units, 'held'",
    "price": ", price",
    "source": "priced",
    "hold": f",\n{statement_parts(HOLD, {'rows': 'inserted', 'run': '%(run)s', 'bulk': 'NULL::uuid'})}",
    "short": SHORT.replace("{rows}", "inserted"),
}
_FREE: Final = {**dict.fromkeys(_CHARGED, ""), "source": "judged", "short": "false"}

# What the caller must know besides: how far it came, and the rows that need a closer look.
_PROGRESS: Final = """,
       (SELECT count(*) FROM picked), (SELECT max(key) FROM picked),
       (SELECT json_agg(json_build_object('key', key, 'contact_id', contact_id, 'address', address, 'phone', phone,
                                          'name', name, 'email', email, 'custom', custom, 'variant', variant,
                                          'due_at', due_at)
                        ORDER BY key)
        FROM judged WHERE verdict = 'odd')"""

_ONE_BY_ONE: Final = """
judged AS (
    SELECT * FROM json_to_recordset(%(rows)s::json)
        AS row(key bigint, contact_id bigint, address text, variant bigint, due_at timestamptz, type text,
               content jsonb, verdict text, detail text))"""

_FIRST_DUE: Final = "(SELECT CASE WHEN bool_and(due_at IS NOT NULL) THEN min(due_at) END FROM inserted)"


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a run and who gets it: `until` is the end of its share of the places 0 to 100."""

    variant_id: int | None
    content: dict[str, Any]
    until: int
    limits: ValueLimits


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """What a run sends, worked out once per slice. `sample`: percent of the audience that this phase takes, or None.

    `is_marketing`: not to people who opted out of that, now and when it is sent.
    """

    campaign: Campaign
    run: Run
    channel: ChannelSnapshot
    audience: AudienceQuery
    versions: tuple[Version, ...]
    sample: int | None = None
    is_marketing: bool = True
    # Under whose name it is sent; None when they are no member (any more).
    membership_id: int | None = None
    # Who pays, and the prices; None when nobody is charged.
    account_id: int | None = None
    prices: PriceList | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with its own parameters."""

    sql: str
    params: dict[str, Any] = field(default_factory=dict)


def launch_plan(campaign: Campaign, run: Run, channel: ChannelSnapshot) -> LaunchPlan:
    """The plan of the run's present phase.

    Raises `ContentError` for content that the channel's driver refuses, and what the audience's query raises.
    """
    sample = campaign.sample_percent if run.phase == Run.Phase.SAMPLE else None
    versions = versions_of(campaign, run, channel.driver)
    categories = _template_categories(channel, versions)
    is_marketing = campaign.category == Campaign.Category.MARKETING or MARKETING in categories
    membership_id = campaign_member(campaign)
    charge = campaign_charge(
        channel,
        membership_id=membership_id,
        category=next(iter(sorted(categories - {""})), ""),
        is_marketing=is_marketing,
    )
    return LaunchPlan(
        campaign,
        run,
        channel,
        audience_query(campaign, address_kinds=address_kinds(channel.driver)),
        versions,
        sample,
        is_marketing,
        membership_id,
        *(charge or (None, None)),
    )


def _template_categories(channel: ChannelSnapshot, versions: Sequence[Version]) -> set[str]:
    """Whatever the campaign calls itself: a template of the category MARKETING is marketing."""
    return {
        template_category(
            schema=connection.schema_name,
            kind=channel.kind,
            account_id=channel.account_id,
            content=version.content,
        )
        for version in versions
    }


def address_kinds(driver: Driver) -> Sequence[str]:
    """The kinds of identities by which the driver reaches people, the best first."""
    return [kind.name for kind in driver.address_kinds]


def versions_of(campaign: Campaign, run: Run | None, driver: Driver) -> tuple[Version, ...]:
    """The contents that go out: the winner's alone in its phase, else all variants, else the campaign's own."""
    variants: list[Variant] = list(campaign.variants.all())
    if run is not None and run.phase == Run.Phase.REST and run.winner_id is not None:
        variants = [variant for variant in variants if variant.pk == run.winner_id]
        return tuple(Version(v.pk, v.content, 100, value_limits(v.content, driver)) for v in variants)
    if not variants:
        return (Version(None, campaign.content, 100, value_limits(campaign.content, driver)),)
    versions, until = [], 0
    for variant in variants:
        until += variant.percentage
        versions.append(Version(variant.pk, variant.content, until, value_limits(variant.content, driver)))
    return tuple(versions)


def judged_sql(
    plan: LaunchPlan, parts: SqlParts, *, schema: str, now: datetime, due: DueSql | None = None
) -> Statement:
    """The common table expressions up to `judged`; after `content_sql` was called with the same `parts`.

    `due` is what `due_at` is made of when it is not the time at which each message may go.
    """
    due = due or due_sql(plan.campaign, plan.run, now=now, address="placed.address", timezone="placed.timezone")
    place = "place" if plan.sample is None else f"(place * 100 / {plan.sample})"
    columns = parts.column_definitions("placed")
    text = statement_fill(
        _JUDGED,
        schema,
        {
            "stride": str(_STRIDE),
            "taken": "true" if plan.sample is None else f"place < {plan.sample}",
            "variant": _choice(plan.versions, place),
            "values": "".join(f", {column}" for column in columns),
            "window_from": _by_variant(plan.versions, lambda version: _window_from(plan, version, parts, now)),
            "odd": odd_sql([version.limits for version in plan.versions], parts),
            "suppressed": SUPPRESSED,
            "opted_out": OPTED_OUT,
            "window_open": WINDOW_OPEN.replace("%(window_from)s", "given.window_from"),
            "due": due.sql,
            "audience": plan.audience.sql,
        },
    )
    return Statement(
        text,
        {
            **parts.params,
            **plan.audience.params,
            **due.params,
            "position": plan.run.position,
            "sender": plan.channel.address,
            "is_marketing": plan.is_marketing,
            "channel": plan.channel.id,
        },
    )


def launch_sql(plan: LaunchPlan, *, schema: str, now: datetime) -> Statement:
    """The whole statement; the caller adds `after`, `until` and `limit`.

    Answers (inserted, of these for at once, whether there were too few credits, looked at, last key, rows that need a
    closer look as JSON or NULL).
    """
    parts = SqlParts()
    contents = {version.variant_id: content_sql(version.content, parts) for version in plan.versions}
    types = {v.variant_id: f"{parts.parameter(v.content['type'])}::text" for v in plan.versions}
    judged = judged_sql(plan, parts, schema=schema, now=now)
    content = _by_variant(plan.versions, lambda version: contents[version.variant_id])
    content_type = _by_variant(plan.versions, lambda version: types[version.variant_id])
    text = _fill("WITH" + judged.sql + "," + _queue(plan, content_type, content) + _PROGRESS, schema, {})
    return Statement(text, {**judged.params, **parts.params, **_queue_params(plan, schema=schema, now=now)})


def one_by_one_sql(plan: LaunchPlan, *, schema: str, now: datetime) -> Statement:
    """The same for rows that were rendered and judged outside; the caller adds `rows` as JSON text.

    Answers (inserted, of these for at once, whether there were too few credits).
    """
    text = _fill("WITH" + _ONE_BY_ONE + "," + _queue(plan, "judged.type", "judged.content"), schema, {})
    return Statement(text, _queue_params(plan, schema=schema, now=now))


def priced_sql(plan: LaunchPlan, parts: SqlParts) -> str:
    """The common table expressions from `judged` to `priced`, for a plan that is charged."""
    contents = {version.variant_id: content_sql(version.content, parts) for version in plan.versions}
    content = _by_variant(plan.versions, lambda version: contents[version.variant_id])
    return _PRICED.replace("{type}", "''").replace("{content}", content)


def _queue(plan: LaunchPlan, content_type: str, content: str) -> str:
    if plan.prices is None:
        parts = {"priced": "", "type": content_type, "content": content, **_FREE}
    else:
        priced = _PRICED.replace("{type}", content_type).replace("{content}", content)
        parts = {"priced": priced, "type": "content_type", "content": "message", **_CHARGED}
    return statement_parts(_QUEUE, parts)


def _window_from(plan: LaunchPlan, version: Version, parts: SqlParts, now: datetime) -> str:
    """After which moment the recipient must have written; NULL when the content needs no open window."""
    channel = plan.channel
    if not channel.checks_window or not channel.driver.needs_window(version.content):
        return "NULL::timestamptz"
    return f"{parts.parameter(now - channel.driver.window_of(version.content, channel.config))}::timestamptz"


def _fill(text: str, schema: str, parts: dict[str, str]) -> str:
    shared = {"counted": COUNTED, "looked_after": LOOKED_AFTER, "due": _FIRST_DUE}
    return statement_fill(text, schema, {**parts, **shared})


def _queue_params(plan: LaunchPlan, *, schema: str, now: datetime) -> dict[str, Any]:
    return {
        "schema": schema,
        "key": str(plan.channel.id),
        "channel": plan.channel.id,
        "run": plan.run.pk,
        "priority": PRIORITY_CAMPAIGN,
        "is_marketing": plan.is_marketing,
        "now": now,
        "membership": plan.membership_id,
        "account": plan.account_id,
        **(price_params(plan.prices) if plan.prices is not None else {}),
    }


def _choice(versions: Sequence[Version], place: str) -> str:
    """Which variant a place belongs to."""
    shares = " ".join(f"WHEN {place} < {version.until} THEN {_id(version)}" for version in versions[:-1])
    last = _id(versions[-1])
    return f"CASE {shares} ELSE {last} END" if shares else last


def _id(version: Version) -> str:
    return "NULL::bigint" if version.variant_id is None else f"{int(version.variant_id)}::bigint"


def _by_variant(versions: Sequence[Version], expression: Callable[[Version], str]) -> str:
    """An expression that depends on the row's variant."""
    if len(versions) == 1:
        return expression(versions[0])
    cases = " ".join(f"WHEN {_id(version)} THEN {expression(version)}" for version in versions)
    return f"CASE variant {cases} END"
