"""Sending a campaign in one step: text, recipients and launch, all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from campaigns.services.campaigns import AudienceSummary, ComposingOrganization, audience_set, campaign_update
from campaigns.services.control import campaign_launch
from campaigns.services.progress import campaign_get
from tenants.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class CampaignSending:
    """A run that has begun; `audience`: what became of the given numbers, None when none were given."""

    run_id: int
    audience: AudienceSummary | None


def campaign_send(
    *,
    organization: ComposingOrganization,
    campaign_id: int,
    phones: Sequence[str] | None = None,
    text: str | None = None,
    all_contacts: bool = False,
) -> CampaignSending:
    """Launch the campaign now, to `phones` when they are given, with `text` in place of its own when that is given.

    Without `phones` the campaign must have recipients of its own, or `all_contacts` must say that everybody is meant:
    a forgotten list must not write to everybody. Raises what setting the audience, changing and launching raise.
    """
    with transaction.atomic():
        campaign = campaign_get(campaign_id=campaign_id, lock=True)
        summary = None
        if phones is not None:
            summary = audience_set(
                organization=organization, campaign_id=campaign_id, kind=Campaign.Audience.LIST, phones=phones
            )
        elif all_contacts:
            audience_set(organization=organization, campaign_id=campaign_id, kind=Campaign.Audience.ALL)
        elif campaign.audience_kind == Campaign.Audience.ALL:
            raise InvalidInput("recipients_required", _("Say who gets it."), {"recipients": _("is required")})
        if text is not None:
            campaign_update(campaign_id=campaign_id, content={"type": "text", "text": {"body": text}})
        run = campaign_launch(campaign_id=campaign_id)
    return CampaignSending(run.pk, summary)
