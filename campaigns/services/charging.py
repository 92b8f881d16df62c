"""Who pays for a campaign, and the prices: a campaign is paid by the member who made it, or by the organisation."""

from __future__ import annotations

from django.db.models import Sum

from billing.amounts import insufficient
from billing.pricing import PriceList, price_category
from billing.services.payers import balance_of, payer_of
from campaigns.models import Campaign
from messaging.models import Message
from messaging.services.channels import ChannelSnapshot
from messaging.services.charging import prices_of
from tenants.connection import connection
from tenants.models import Membership, Organization


def campaign_charge(
    campaign: Campaign, channel: ChannelSnapshot, *, category: str, is_marketing: bool
) -> tuple[int, PriceList] | None:
    """The account that pays and the prices of the campaign's messages; None when nobody is charged.

    `category`: of the template that is sent, "" for other content.
    """
    if not channel.is_charged:
        return None
    schema = connection.schema_name
    organization_id = Organization.objects.values_list("pk", flat=True).get(schema_name=schema)
    account_id = payer_of(schema=schema, membership_id=_member(campaign, organization_id))
    if account_id is None:
        return None
    kind = price_category(template_category=category, is_marketing=is_marketing, origin="campaign")
    return account_id, prices_of(schema=schema, organization_id=organization_id, channel=channel, category=kind)


def _member(campaign: Campaign, organization_id: int) -> int | None:
    if campaign.created_by_id is None:
        return None
    members = Membership.objects.filter(organization_id=organization_id, user_id=campaign.created_by_id)
    return members.values_list("pk", flat=True).first()


def retry_check(*, run_id: int) -> None:
    """Whether who paid for the failed messages of a run can pay again. Raises `LimitReached` insufficient_credits."""
    failed = Message.objects.filter(campaign_run_id=run_id, status=Message.Status.FAILED)
    owed = failed.exclude(credit_account_id=None).values("credit_account_id").annotate(total=Sum("price"))
    for account_id, total in owed.values_list("credit_account_id", "total"):
        available = balance_of(account_id or 0)
        if total > available:
            raise insufficient(needed=total, available=available)
