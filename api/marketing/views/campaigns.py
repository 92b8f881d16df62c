"""/campaigns: make, change, show, send, pause, resume, cancel, duplicate, delete."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.http import HttpResponse
from django.utils.translation import gettext as _

from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer, answer_bytes
from api.marketing.inputs.campaigns import (
    CampaignChange,
    CampaignInput,
    CampaignSendInput,
    CampaignsQuery,
    DuplicateInput,
)
from api.marketing.outputs.answers import Nothing
from api.marketing.outputs.campaigns import CampaignRow, CampaignSent
from api.marketing.pagination import page_of
from api.marketing.views.campaign_rows import campaign_row, campaign_rows
from campaigns.models import Campaign
from campaigns.services.campaigns import (
    audience_set,
    campaign_create,
    campaign_delete,
    campaign_duplicate,
    campaign_update,
)
from campaigns.services.control import (
    campaign_cancel,
    campaign_pause,
    campaign_resume,
    campaign_retry_failed,
)
from campaigns.services.progress import campaign_get
from campaigns.services.schedules import schedule_once
from campaigns.services.sending import campaign_send
from messaging.services.channels import channel_for_texts

CampaignList = data_of("CampaignList", list[CampaignRow], meta=True)
CampaignAnswer = data_of("CampaignAnswer", CampaignRow)
CampaignSaved = data_of("CampaignSaved", CampaignRow, message=True)
CampaignStarted = data_of("CampaignStarted", CampaignSent, message=True)
PATH: Final = {"id": "The campaign's id."}
NAMES: Final = {
    "content": "message_content",
    "text.body": "message_content",
    "channel": "channel_id",
    "zone": "timezone",
    "phones": "recipients",
    "audience": "recipients",
    "start_date": "scheduled_at",
}


class CampaignsView(Endpoint):
    scopes = {"GET": "view_campaigns", "POST": "create_campaigns"}
    field_names = NAMES

    @operation(
        id="listCampaigns",
        tag="Campaigns",
        summary="List campaigns",
        description="The newest first, with the numbers of their newest run.",
        query=CampaignsQuery,
        answer=CampaignList,
        done="A page of campaigns.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(CampaignsQuery)
        rows = Campaign.objects.order_by("-id")
        if asked.status is not None:
            rows = rows.filter(status=asked.status)
        page, meta = page_of(rows, asked)
        return answer(campaign_rows(page), meta=meta)

    @operation(
        id="createCampaign",
        tag="Campaigns",
        summary="Add a campaign",
        description="A draft, or with `scheduled_at` a campaign that is sent once at that time. Without recipients it "
        "goes to all active contacts.",
        body=CampaignInput,
        answer=CampaignSaved,
        done="Added.",
        status=201,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(CampaignInput)
        bearer = call.credential
        channel = channel_for_texts(schema=bearer.organization.schema_name, channel_id=given.channel_id)
        options = {"category": given.category} | ({"zone": given.timezone} if given.timezone else {})
        with transaction.atomic():
            campaign = campaign_create(
                organization=bearer.organization,
                name=given.name,
                channel_id=channel.id,
                content=text_content(given.message_content),
                created_by_id=bearer.user_id,
                **options,
            )
            _audience(call, campaign.pk, given)
            if given.scheduled_at is not None:
                schedule_once(campaign_id=campaign.pk, at=given.scheduled_at)
        return answer(campaign_row(campaign.pk), message=_("Campaign created"), status=201)


class CampaignView(Endpoint):
    scopes = {"GET": "view_campaigns", "PUT": "create_campaigns", "DELETE": "create_campaigns"}
    field_names = NAMES

    @operation(
        id="getCampaign",
        tag="Campaigns",
        summary="Show a campaign",
        description="With its schedule, variants and the numbers of its newest run.",
        answer=CampaignAnswer,
        done="The campaign.",
        errors=("campaign_not_found",),
        path=PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        return answer(campaign_row(id))

    @operation(
        id="updateCampaign",
        tag="Campaigns",
        summary="Change a campaign",
        description="Changes what is given, unless the campaign is being sent.",
        body=CampaignChange,
        answer=CampaignSaved,
        done="Changed.",
        errors=("campaign_not_found", "campaign_running"),
        path=PATH,
    )
    def put(self, call: Call, id: int) -> HttpResponse:
        given = call.body(CampaignChange)
        changes: dict[str, Any] = {
            "name": given.name,
            "category": given.category,
            "zone": given.timezone,
            "content": None if given.message_content is None else text_content(given.message_content),
        }
        if given.channel_id is not None:
            schema = call.credential.organization.schema_name
            changes["channel_id"] = channel_for_texts(schema=schema, channel_id=given.channel_id).id
        with transaction.atomic():
            campaign_update(campaign_id=id, **{name: value for name, value in changes.items() if value is not None})
            _audience(call, id, given)
        return answer(campaign_row(id), message=_("Campaign updated"))

    @operation(
        id="deleteCampaign",
        tag="Campaigns",
        summary="Delete a campaign",
        description="Only one that was never sent: others are kept for their results and can be cancelled.",
        answer=Nothing,
        done="Deleted.",
        status=204,
        errors=("campaign_not_found", "campaign_has_runs"),
        path=PATH,
    )
    def delete(self, call: Call, id: int) -> HttpResponse:
        campaign_delete(campaign_id=id)
        return HttpResponse(status=204)


class CampaignSendView(Endpoint):
    scope = "create_campaigns"
    field_names = NAMES | {"content": "message", "text.body": "message"}

    @operation(
        id="sendCampaign",
        tag="Campaigns",
        summary="Send a campaign",
        description="Now, to the given numbers, or to the recipients that the campaign has. Where it has variants, "
        "these are sent, not `message`. One that costs more credits than there are is refused. Everybody gets it once, "
        "whatever happens. Triggers `campaign.started`, then `campaign.completed` or `campaign.failed`.",
        body=CampaignSendInput,
        answer=CampaignStarted,
        done="The campaign is being sent.",
        errors=(
            *("campaign_not_found", "campaign_running", "campaign_paused", "audience_empty", "channel_not_connected"),
            "insufficient_credits",
        ),
        path=PATH,
        idempotent=True,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        given = call.body(CampaignSendInput)

        def effect() -> bytes:
            done = campaign_send(
                organization=call.credential.organization,
                campaign_id=id,
                phones=given.recipients,
                text=given.message,
                all_contacts=given.all_contacts,
            )
            summary = done.audience
            data = CampaignSent(
                campaign_id=id,
                run_id=done.run_id,
                status="running",
                total=None if given.recipients is None else len(given.recipients),
                duplicates=summary.duplicates if summary else 0,
                invalid=summary.invalid if summary else 0,
            )
            return answer_bytes(data, message=_("Campaign started"))

        return call.body_once(effect, status=200)


class CampaignMoveView(Endpoint):
    """Base of the operations that have no body."""

    scope = "create_campaigns"

    def moved(self, id: int, message: str) -> HttpResponse:
        return answer(campaign_row(id), message=message)


class PauseView(CampaignMoveView):
    @operation(
        id="pauseCampaign",
        tag="Campaigns",
        summary="Pause a campaign",
        description="What waits is held back, and no occurrence starts.",
        answer=CampaignSaved,
        done="Paused.",
        errors=("campaign_not_found", "campaign_not_running"),
        path=PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        campaign_pause(campaign_id=id)
        return self.moved(id, _("Campaign paused"))


class ResumeView(CampaignMoveView):
    @operation(
        id="resumeCampaign",
        tag="Campaigns",
        summary="Resume a campaign",
        description="Goes on where it was paused; nobody gets anything twice.",
        answer=CampaignSaved,
        done="Resumed.",
        errors=("campaign_not_found", "campaign_not_paused", "channel_not_connected"),
        path=PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        campaign_resume(campaign_id=id)
        return self.moved(id, _("Campaign resumed"))


class CancelView(CampaignMoveView):
    @operation(
        id="cancelCampaign",
        tag="Campaigns",
        summary="Cancel a campaign",
        description="Messages that wait are cancelled, its schedule is switched off.",
        answer=CampaignSaved,
        done="Cancelled.",
        errors=("campaign_not_found", "campaign_ended"),
        path=PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        campaign_cancel(campaign_id=id)
        return self.moved(id, _("Campaign cancelled"))


class RetryView(CampaignMoveView):
    @operation(
        id="retryCampaign",
        tag="Campaigns",
        summary="Send failed messages again",
        description="Those of the newest run that failed, and nothing else.",
        answer=CampaignSaved,
        done="Queued again.",
        errors=("campaign_not_found", "nothing_failed", "campaign_busy", "channel_not_connected"),
        path=PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        campaign_retry_failed(campaign_id=id)
        return self.moved(id, _("Failed messages are sent again"))


class DuplicateView(Endpoint):
    scope = "create_campaigns"

    @operation(
        id="duplicateCampaign",
        tag="Campaigns",
        summary="Duplicate a campaign",
        description="A draft with the same content, variants and recipients; the schedule is copied switched off.",
        body=DuplicateInput,
        answer=CampaignSaved,
        done="The copy.",
        status=201,
        errors=("campaign_not_found",),
        path=PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        name = call.body(DuplicateInput).name if call.request.body.strip() else None
        source = campaign_get(campaign_id=id)
        name = name or _("Copy of %(name)s") % {"name": source.name}
        copy = campaign_duplicate(campaign_id=id, name=name[:120], created_by_id=call.credential.user_id)
        return answer(campaign_row(copy.pk), message=_("Campaign duplicated"), status=201)


def text_content(text: str) -> dict[str, Any]:
    """A text as messages have it."""
    return {"type": "text", "text": {"body": text}}


def _audience(call: Call, campaign_id: int, given: CampaignInput | CampaignChange) -> None:
    """Set the recipients, when the request names some."""
    kind = next(
        (
            kind
            for kind, value in (
                (Campaign.Audience.LIST, given.recipients),
                (Campaign.Audience.CONTACTS, given.contact_ids),
                (Campaign.Audience.GROUPS, given.group_ids),
                (Campaign.Audience.SEGMENT, given.segment_id),
            )
            if value is not None
        ),
        None,
    )
    if kind is not None:
        audience_set(
            organization=call.credential.organization,
            campaign_id=campaign_id,
            kind=kind,
            phones=given.recipients or (),
            contact_ids=given.contact_ids or (),
            group_ids=given.group_ids or (),
            segment_id=given.segment_id,
        )
