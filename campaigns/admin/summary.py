"""What a campaign says, to whom and how: in words, for its page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.formats import number_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Campaign
from config.admin_changelist import count_capped
from contacts.models import Group, Segment

_CAP: Final = 100_000


@dataclass(frozen=True, slots=True)
class Version:
    """One text, or the name of a template with its values; `share` is empty when there is only this one."""

    name: str
    share: str
    text: str
    template: str = ""
    values: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Summary:
    """Versions, recipients in words, and lines about everything else that was chosen."""

    versions: list[Version]
    recipients: str
    rules: list[str]


def campaign_summary(campaign: Campaign) -> Summary:
    """What the composer was told, for people who read it."""
    variants = list(campaign.variants.all())
    versions = [_version(item.name, f"{item.percentage} %", item.content) for item in variants]
    return Summary(versions or [_version("", "", campaign.content)], _recipients(campaign), list(_rules(campaign)))


def _version(name: str, share: str, content: Any) -> Version:
    if content.get("type") != "template":
        return Version(name, share, str(content.get("text", {}).get("body", "")))
    template = content.get("template", {})
    parts = template.get("components", [])
    values = [str(value.get("text", "")) for part in parts for value in part.get("parameters", [])]
    language = template.get("language", {}).get("code", "")
    return Version(name, share, "", f"{template.get('name', '')} ({language})", values)


def _recipients(campaign: Campaign) -> str:
    kind = str(campaign.get_audience_kind_display())
    if campaign.audience_kind == Campaign.Audience.GROUPS:
        groups = Group.objects.filter(pk__in=campaign.audience.get("group_ids", [])).order_by("name")
        return f"{kind}: {', '.join(groups.values_list('name', flat=True)) or '–'}"
    if campaign.audience_kind == Campaign.Audience.SEGMENT:
        segment = Segment.objects.filter(pk=campaign.audience.get("segment_id")).first()
        return f"{kind}: {segment.name if segment else '–'}"
    if campaign.audience_kind in (Campaign.Audience.LIST, Campaign.Audience.CONTACTS):
        number = count_capped(campaign.entries.all(), _CAP)
        shown = number_format(min(number, _CAP), force_grouping=True)
        return f"{kind}: {shown}{'+' if number > _CAP else ''}"
    return kind


def _rules(campaign: Campaign) -> list[str]:
    found = [str(campaign.get_category_display())]
    if campaign.has_winner_rule:
        minutes = campaign.winner_wait_minutes or 0
        text = ngettext(
            "%(sample)s %% get the versions; %(minutes)s minute later everybody else gets the one that does best by "
            "“%(metric)s”.",
            "%(sample)s %% get the versions; %(minutes)s minutes later everybody else gets the one that does best by "
            "“%(metric)s”.",
            minutes,
        )
        metric = campaign.get_winner_metric_display()
        found.append(text % {"sample": campaign.sample_percent, "minutes": minutes, "metric": metric})
    if campaign.quiet_from is not None and campaign.quiet_until is not None:
        hours = {"start": time_format(campaign.quiet_from, "H:i"), "end": time_format(campaign.quiet_until, "H:i")}
        found.append(_("Nothing is sent from %(start)s until %(end)s.") % hours)
    zone = campaign.zone.replace("_", " ")
    if campaign.in_recipient_zone:
        found.append(_("Times are those of each recipient's own clock, else of %(zone)s.") % {"zone": zone})
    else:
        found.append(_("Times are those of %(zone)s.") % {"zone": zone})
    return found
