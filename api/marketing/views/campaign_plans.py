"""/campaigns/{id}/schedule, /preview, /variants, /results."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.http import HttpResponse
from django.utils.translation import gettext as _

from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer
from api.marketing.inputs.campaigns import ResultsQuery, ScheduleInput, VariantsInput
from api.marketing.outputs.campaigns import CampaignResults, ScheduleRow, VariantRow
from api.marketing.pagination import meta_of
from api.marketing.views.campaign_rows import numbers_of, schedule_row, variant_row
from api.marketing.views.campaigns import PATH, text_content
from api.marketing.views.message_rows import STATES, message_rows
from api.problems import Problem
from campaigns.models import Campaign, Schedule
from campaigns.reports import Totals, run_totals, variant_totals
from campaigns.services.campaigns import VARIANTS_MOST, VariantInput, campaign_update, variants_set
from campaigns.services.progress import campaign_get
from campaigns.services.schedules import schedule_preview, schedule_set
from messaging.services.sent_history import HistoryFilter, sent_page

ScheduleAnswer = data_of("ScheduleAnswer", ScheduleRow)
ScheduleSaved = data_of("ScheduleSaved", ScheduleRow, message=True)
NextRuns = data_of("NextRuns", list[datetime])
VariantsAnswer = data_of("VariantsAnswer", list[VariantRow])
VariantsSaved = data_of("VariantsSaved", list[VariantRow], message=True)
ResultsAnswer = data_of("ResultsAnswer", CampaignResults, meta=True)


class ScheduleView(Endpoint):
    scopes = {"GET": "view_campaigns", "POST": "create_campaigns"}
    field_names = {"weekdays": "day_of_week", "zone": "timezone"}

    @operation(
        id="getCampaignSchedule",
        tag="Campaigns",
        summary="Show a schedule",
        description="With the next ten occurrences.",
        answer=ScheduleAnswer,
        done="The schedule.",
        errors=("campaign_not_found",),
        path=PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        campaign = campaign_get(campaign_id=id)
        return answer(schedule_row(_schedule_of(campaign), campaign.zone))

    @operation(
        id="scheduleCampaign",
        tag="Campaigns",
        summary="Schedule a campaign",
        description="Once, daily, weekly or monthly, in the campaign's time zone (`timezone` changes it); each "
        "occurrence is sent exactly once, also where clocks change.",
        body=ScheduleInput,
        answer=ScheduleSaved,
        done="Scheduled.",
        errors=("campaign_not_found", "campaign_cancelled"),
        path=PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        given = call.body(ScheduleInput)
        # A day that the frequency has no use for is passed over, as the document's own example of fields has it.
        weekdays = [given.day_of_week] if given.frequency == "weekly" and given.day_of_week is not None else []
        with transaction.atomic():
            if given.timezone is not None:
                campaign_update(campaign_id=id, zone=given.timezone)
            schedule = schedule_set(
                campaign_id=id,
                frequency=given.frequency,
                time=given.time,
                start_date=given.start_date,
                end_date=given.end_date,
                interval=given.interval,
                weekdays=weekdays,
                day_of_month=given.day_of_month if given.frequency == "monthly" else None,
                is_active=given.is_active,
            )
        return answer(schedule_row(schedule, campaign_get(campaign_id=id).zone), message=_("Campaign scheduled"))


class NextRunsView(Endpoint):
    scope = "view_campaigns"

    @operation(
        id="previewCampaignSchedule",
        tag="Campaigns",
        summary="Preview the next ten occurrences",
        description="In UTC.",
        answer=NextRuns,
        done="The times.",
        errors=("campaign_not_found",),
        path=PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        campaign = campaign_get(campaign_id=id)
        return answer(schedule_preview(schedule=_schedule_of(campaign), zone=campaign.zone))


class VariantsView(Endpoint):
    scopes = {"GET": "view_campaigns", "POST": "create_campaigns"}
    field_names = {
        f"variants.{place}.{theirs}": f"variants.{place}.{ours}"
        for place in range(VARIANTS_MOST)
        for theirs, ours in (("name", "variant_name"), ("content", "message"))
    }

    @operation(
        id="listCampaignVariants",
        tag="Campaigns",
        summary="List variants",
        description="The versions of an A/B campaign.",
        answer=VariantsAnswer,
        done="The variants.",
        errors=("campaign_not_found",),
        path=PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        return answer([variant_row(variant) for variant in campaign_get(campaign_id=id).variants.order_by("id")])

    @operation(
        id="createCampaignVariants",
        tag="Campaigns",
        summary="Set variants",
        description="In place of those that are there. The percentages must add up to 100.",
        body=VariantsInput,
        answer=VariantsSaved,
        done="The variants.",
        status=201,
        errors=("campaign_not_found", "campaign_running"),
        path=PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        given = call.body(VariantsInput)
        variants = variants_set(
            campaign_id=id,
            variants=[
                VariantInput(item.variant_name, text_content(item.message), item.percentage) for item in given.variants
            ],
        )
        return answer([variant_row(variant) for variant in variants], message=_("Variants created"), status=201)


class ResultsView(Endpoint):
    scope = "view_analytics"

    @operation(
        id="getCampaignResults",
        tag="Campaigns",
        summary="Results of a campaign",
        description="The numbers of one run, by variant too, and a page of its recipients.",
        query=ResultsQuery,
        answer=ResultsAnswer,
        done="The results.",
        errors=("campaign_not_found", "run_not_found", "validation_failed"),
        path=PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        asked = call.query(ResultsQuery)
        campaign = campaign_get(campaign_id=id)
        runs = campaign.runs.order_by("-id")
        run = (runs.filter(pk=asked.run_id) if asked.run_id else runs).first()
        if run is None:
            raise Problem("run_not_found", "")
        totals = run_totals(run_ids=[run.pk]).get(run.pk, Totals())
        names = dict(campaign.variants.values_list("id", "name"))
        by_variant = {
            names[key]: numbers_of(found) for key, found in variant_totals(run_id=run.pk).items() if key in names
        }
        statuses = None if asked.status is None else STATES[asked.status]  # type: ignore[index]
        own = call.credential.membership_id if call.credential.sees_own_only else None
        chosen = HistoryFilter(run_ids=(run.pk,), statuses=statuses, membership_id=own)
        rows, has_more = sent_page(chosen, page=asked.page, per_page=asked.per_page)
        data = CampaignResults(
            campaign_id=id,
            run_id=run.pk,
            status=run.status,
            results=numbers_of(totals),
            skipped=dict(totals.skipped),
            by_variant=dict(by_variant),
            messages=message_rows(rows) if "view_history" in call.credential.scopes else [],
        )
        return answer(data, meta=meta_of(asked, has_more))


def _schedule_of(campaign: Campaign) -> Schedule:
    schedule = Schedule.objects.filter(campaign_id=campaign.pk).first()
    if schedule is None:
        raise Problem("schedule_not_found", "")
    return schedule
