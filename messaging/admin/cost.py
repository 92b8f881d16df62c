"""What the message in the form would cost, shown while it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from audit.actor import actor_current
from billing.models import CreditAccount
from messaging.addresses import address_normalise
from messaging.admin.text_cost import sms_text
from messaging.models import Channel
from messaging.services.channels import channel_by_uuid
from messaging.services.charging import quote
from tenants.errors import ServiceError
from tenants.models import Organization


def is_charged() -> bool:
    """Whether anybody in the current organisation pays for messages."""
    return CreditAccount.objects.filter(is_active=True).exists()


def cost_context(*, organization: Organization, given: Mapping[str, str]) -> dict[str, Any]:
    """The context of `message_cost.html` for the fields `channel`, `to` and `text` as they are typed."""
    row = Channel.objects.filter(pk=int(given["channel"])).first() if given.get("channel", "").isdecimal() else None
    context = {"sms": sms_text(channel=row, text=given.get("text", ""))}
    return context if not is_charged() else context | _charged(organization, row, given)


def _charged(organization: Organization, row: Channel | None, given: Mapping[str, str]) -> dict[str, Any]:
    if row is None or not given.get("to", "").strip():
        return {"advice": _("Write the recipient to see the cost.")}
    channel = channel_by_uuid(schema=organization.schema_name, uuid=row.uuid)
    try:
        address = address_normalise(driver=channel.driver, value=given["to"], country=organization.default_country)
    except ServiceError as error:
        return {"advice": error.message}
    found = quote(
        schema=organization.schema_name,
        organization_id=organization.pk,
        channel=channel,
        membership_id=actor_current().membership_id,
        messages=[(address, given.get("text", ""))],
        origin="admin",
    )
    return {"quote": found}
