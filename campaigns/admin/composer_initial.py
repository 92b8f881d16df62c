"""A campaign as the fields of the form that composes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from campaigns.admin.composer import VARIANT_LETTERS
from campaigns.models import Campaign, Schedule
from contacts.admin.phone_fields import contact_line
from contacts.models import Contact

# So many chosen recipients are shown to be changed; longer lists stay as they are unless they are replaced.
_LISTED: Final = 200


def composer_initial(campaign: Campaign) -> dict[str, Any]:
    """The form's fields as they are now."""
    plain = (
        "name", "category", "audience_kind", "zone", "in_recipient_zone", "quiet_from", "quiet_until",
        "grace_minutes", "winner_metric", "sample_percent", "winner_wait_minutes",
    )  # fmt: skip
    initial: dict[str, Any] = {name: getattr(campaign, name) for name in plain} | {"channel": campaign.channel_id}
    initial["groups"] = campaign.audience.get("group_ids", [])
    initial["segment"] = campaign.audience.get("segment_id")
    initial |= _content_initial(campaign.content, "") | _audience_initial(campaign)
    for letter, variant in zip(VARIANT_LETTERS, list(campaign.variants.all())[1:], strict=False):
        initial |= _content_initial(variant.content, f"_{letter}") | {f"percent_{letter}": variant.percentage}
    schedule = Schedule.objects.filter(campaign_id=campaign.pk, is_active=True).first()
    if schedule is not None:
        names = ("frequency", "time", "start_date", "end_date", "interval", "weekdays", "day_of_month")
        initial |= {name: getattr(schedule, name) for name in names}
    return initial


def _content_initial(content: Mapping[str, Any], suffix: str) -> dict[str, str]:
    if content.get("type") != "template":
        return {f"text{suffix}": content.get("text", {}).get("body", "")}
    template = content["template"]
    parameters = [p.get("text", "") for part in template.get("components", []) for p in part.get("parameters", [])]
    return {
        f"template{suffix}": f"{template['name']}|{template['language']['code']}",
        f"parameters{suffix}": "\n".join(parameters),
    }


def _audience_initial(campaign: Campaign) -> dict[str, str]:
    """The chosen recipients as lines, unless they are many."""
    kind = campaign.audience_kind
    if kind not in (Campaign.Audience.LIST, Campaign.Audience.CONTACTS):
        return {}
    entries = list(campaign.entries.order_by("pk")[: _LISTED + 1])
    if len(entries) > _LISTED:
        return {}
    if kind == Campaign.Audience.LIST:
        return {"phones": "\n".join(entry.address if entry.problem else f"+{entry.address}" for entry in entries)}
    contacts = Contact.objects.filter(pk__in=[entry.contact_id for entry in entries]).order_by("pk")
    return {"contacts": "\n".join(map(contact_line, contacts))}
