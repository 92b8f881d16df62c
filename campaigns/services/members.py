"""Suspending a member together with what they have set in motion."""

from __future__ import annotations

from django.utils.translation import gettext as _

from campaigns.models import Campaign
from campaigns.services.control import campaign_pause
from tenants.errors import Conflict
from tenants.models import Membership
from tenants.services.memberships import membership_suspend


def member_suspend(*, membership: Membership, actor_role: str | None = None) -> Membership:
    """Lock the member out at once and pause the campaigns that they made: what waits does not leave.

    Activating lets the person in again; their campaigns are resumed by hand. Raises as `membership_suspend`. Not inside
    a transaction: pausing takes messages out of the queue in batches.
    """
    suspended = membership_suspend(membership=membership, actor_role=actor_role)
    member_campaigns_pause(user_id=suspended.user_id, email=suspended.user.email)
    return suspended


def member_campaigns_pause(*, user_id: int, email: str) -> list[int]:
    """Pause every running or scheduled campaign that this person made; returns their ids."""
    active = Campaign.objects.filter(
        created_by_id=user_id, status__in=(Campaign.Status.RUNNING, Campaign.Status.SCHEDULED)
    )
    paused = []
    for campaign_id in list(active.order_by("pk").values_list("pk", flat=True)):
        try:
            campaign_pause(
                campaign_id=campaign_id, reason=_("%(email)s, who made the campaign, is suspended.") % {"email": email}
            )
        except Conflict:
            # It ended at this very moment: nothing is left to stop.
            continue
        paused.append(campaign_id)
    return paused
