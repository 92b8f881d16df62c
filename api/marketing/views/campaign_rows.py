"""Campaigns as this API shows them: a page of them with a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Max

from api.marketing.outputs.campaigns import CampaignNumbers, CampaignRow, ScheduleRow, VariantRow
from campaigns.models import Campaign, Run, Schedule, Variant
from campaigns.recurrence import Frequency
from campaigns.reports import Totals, run_totals
from campaigns.services.progress import campaign_get
from campaigns.services.schedules import schedule_preview
from config.reasons import reason_said
from webhooks_app.formats.neutral import text_of


def campaign_row(campaign_id: int) -> CampaignRow:
    """One campaign as it is now. Raises `NotFound`."""
    return campaign_rows([campaign_get(campaign_id=campaign_id)])[0]


def campaign_rows(campaigns: Sequence[Campaign]) -> list[CampaignRow]:
    """Many campaigns with their schedules, variants and newest runs."""
    ids = [campaign.pk for campaign in campaigns]
    schedules = {schedule.campaign_id: schedule for schedule in Schedule.objects.filter(campaign_id__in=ids)}
    variants: dict[int, list[VariantRow]] = {}
    for variant in Variant.objects.filter(campaign_id__in=ids).order_by("id"):
        variants.setdefault(variant.campaign_id, []).append(variant_row(variant))
    newest = dict(
        Run.objects.filter(campaign_id__in=ids)
        .values_list("campaign_id")
        .annotate(Max("id"))
        .values_list("campaign_id", "id__max")
    )
    totals = run_totals(run_ids=newest.values())
    return [
        _row(campaign, schedules.get(campaign.pk), variants.get(campaign.pk, []), newest.get(campaign.pk), totals)
        for campaign in campaigns
    ]


def _row(
    campaign: Campaign,
    schedule: Schedule | None,
    variants: list[VariantRow],
    run_id: int | None,
    totals: dict[int, Totals],
) -> CampaignRow:
    once = schedule is not None and schedule.frequency == Frequency.ONCE
    status: Any = campaign.status
    recipients: Any = campaign.audience_kind
    category: Any = campaign.category
    return CampaignRow(
        id=campaign.pk,
        name=campaign.name,
        message_content=text_of(campaign.content),
        status=status,
        status_reason=reason_said(campaign.status_reason) or None,
        channel_id=campaign.channel_id,
        category=category,
        recipients=recipients,
        timezone=campaign.zone,
        scheduled_at=schedule.next_at if once and schedule is not None else None,
        schedule=schedule_row(schedule, campaign.zone) if schedule is not None else None,
        variants=variants,
        run_id=run_id,
        results=None if run_id is None else numbers_of(totals.get(run_id, Totals())),
        created_at=campaign.created_at,
        started_at=campaign.started_at,
        finished_at=campaign.finished_at,
    )


def numbers_of(totals: Totals) -> CampaignNumbers:
    """The sums of a run or variant."""
    return CampaignNumbers(
        recipients=totals.recipients,
        queued=totals.accepted,
        sent=totals.sent,
        delivered=totals.delivered,
        read=totals.read,
        failed=totals.failed,
        cancelled=totals.cancelled,
        skipped=totals.skipped_total,
    )


def variant_row(variant: Variant) -> VariantRow:
    """One version of an A/B campaign."""
    return VariantRow(variant.pk, variant.name, text_of(variant.content), variant.percentage)


def schedule_row(schedule: Schedule, zone: str) -> ScheduleRow:
    """A schedule with its next ten occurrences."""
    frequency: Any = schedule.frequency
    upcoming = schedule_preview(schedule=schedule, zone=zone) if schedule.is_active else []
    return ScheduleRow(
        campaign_id=schedule.campaign_id,
        frequency=frequency,
        day_of_week=schedule.weekdays[0] if schedule.weekdays else None,
        day_of_month=schedule.day_of_month,
        interval=schedule.interval,
        time=f"{schedule.time:%H:%M}",
        start_date=schedule.start_date.isoformat(),
        end_date=schedule.end_date.isoformat() if schedule.end_date else None,
        timezone=zone,
        is_active=schedule.is_active,
        next_run_at=schedule.next_at,
        next_runs=upcoming,
    )
