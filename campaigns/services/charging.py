"""Who pays for a campaign, and the prices: a campaign is paid by the member who made it, or by the organisation."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Sum

from billing.amounts import insufficient
from billing.models import CreditAccount
from billing.pricing import PriceList, price_category
from billing.services.payers import payer_of
from campaigns.models import Campaign
from messaging.models import Message
from messaging.services.channels import ChannelSnapshot
from messaging.services.charging import prices_of
from tenants.connection import connection
from tenants.models import Membership, Organization


def campaign_charge(
    channel: ChannelSnapshot, *, membership_id: int | None, category: str, is_marketing: bool
) -> tuple[int, PriceList] | None:
    """The account that pays and the prices of a campaign's messages; None when nobody is charged.

    `membership_id`: of the member who made it. `category`: of the template that is sent, "" for other content.
    """
    if not channel.is_charged:
        return None
    schema = connection.schema_name
    account_id = payer_of(schema=schema, membership_id=membership_id)
    if account_id is None:
        return None
    kind = price_category(template_category=category, is_marketing=is_marketing, origin="campaign")
    organization_id = Organization.objects.values_list("pk", flat=True).get(schema_name=schema)
    return account_id, prices_of(schema=schema, organization_id=organization_id, channel=channel, category=kind)


def campaign_member(campaign: Campaign) -> int | None:
    """The membership of who made the campaign: its messages are theirs, in the history and in the ledger."""
    if campaign.created_by_id is None:
        return None
    members = Membership.objects.filter(
        organization__schema_name=connection.schema_name, user_id=campaign.created_by_id
    )
    return members.values_list("pk", flat=True).first()


def retry_check(*, run_id: int) -> None:
    """Whether who paid for the failed messages of a run can pay again. Raises `LimitReached` insufficient_credits."""
    failed = Message.objects.filter(campaign_run_id=run_id, status=Message.Status.FAILED)
    paid = failed.exclude(credit_account_id=None).values("credit_account_id").annotate(total=Sum("price"))
    owed: dict[int | None, Decimal] = dict(paid.values_list("credit_account_id", "total"))
    for account in CreditAccount.objects.filter(pk__in=[key for key in owed if key is not None]):
        if owed[account.pk] > account.balance:
            raise insufficient(needed=owed[account.pk], available=account.balance)
