"""Composing campaigns: create, change, variants, recipients, duplicate, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from campaigns.models import Campaign, Run, Schedule, Variant
from campaigns.services.content import content_check
from campaigns.services.progress import ACTIVE, campaign_get
from campaigns.services.schedules import schedule_refresh
from campaigns.timing import all_zones
from contacts.models import Group, Segment
from contacts.phones import BadPhone, phone_normalise
from messaging.models import Channel
from tenants.errors import Conflict, InvalidInput

_BATCH: Final = 10_000
VARIANTS_MOST: Final = 10
_MAX_GRACE: Final = 7 * 24 * 60


class ComposingOrganization(Protocol):
    """What composing needs of an organisation."""

    @property
    def default_country(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True, slots=True)
class AudienceSummary:
    """What became of the recipients that were given: kept, named twice, and unusable as a number."""

    kept: int
    duplicates: int
    invalid: int


@dataclass(frozen=True, slots=True)
class VariantInput:
    """One version of an A/B campaign, as it was given."""

    name: str
    content: Mapping[str, Any]
    percentage: int


# What `campaign_create` and `campaign_update` take besides name, channel and content.
OPTIONS: Final = (
    "category",
    "zone",
    "in_recipient_zone",
    "quiet_from",
    "quiet_until",
    "grace_minutes",
    "sample_percent",
    "winner_metric",
    "winner_wait_minutes",
)


def campaign_create(
    *,
    organization: ComposingOrganization,
    name: str,
    channel_id: int,
    content: Mapping[str, Any],
    created_by_id: int | None = None,
    **options: Any,
) -> Campaign:
    """A new draft to all contacts; `options` are OPTIONS. Raises `InvalidInput` naming every field that is wrong."""
    values = {"zone": organization.time_zone, **options, "name": name, "channel_id": channel_id, "content": content}
    campaign = Campaign(created_by_id=created_by_id)
    with transaction.atomic():
        _apply(campaign, values)
        campaign.save(force_insert=True)
        audit_record(action="campaign.created", subject=campaign, new=_described(campaign))
    return campaign


def campaign_update(*, campaign_id: int, **changes: Any) -> Campaign:
    """Change name, channel_id, content or OPTIONS of a campaign that is not being sent.

    Raises `NotFound`, `InvalidInput`, `Conflict` campaign_running.
    """
    with transaction.atomic():
        campaign = _editable(campaign_id)
        old = _described(campaign)
        _apply(campaign, changes)
        campaign.updated_at = datetime.now(UTC)
        campaign.save()
        schedule_refresh(campaign=campaign)
        new = _described(campaign)
        changed = [name for name in new if new[name] != old[name]]
        if changed:
            audit_record(
                action="campaign.updated",
                subject=campaign,
                old={name: old[name] for name in changed},
                new={name: new[name] for name in changed},
            )
    return campaign


def variants_set(*, campaign_id: int, variants: Sequence[VariantInput]) -> list[Variant]:
    """Replace the campaign's variants; none ends the A/B test. Percentages must add up to 100.

    Raises `NotFound`, `InvalidInput` (`variants`, `variants.0.content`), `Conflict` campaign_running.
    """
    with transaction.atomic():
        campaign = _editable(campaign_id)
        _variants_check(campaign, variants)
        campaign.variants.all().delete()
        shares = {item.name: item.percentage for item in variants}
        audit_record(action="campaign.variants_set", subject=campaign, new=shares)
        return Variant.objects.bulk_create(
            Variant(campaign=campaign, name=item.name.strip(), content=dict(item.content), percentage=item.percentage)
            for item in variants
        )


def audience_set(
    *,
    organization: ComposingOrganization,
    campaign_id: int,
    kind: str,
    phones: Sequence[str] = (),
    contact_ids: Sequence[int] = (),
    group_ids: Sequence[int] = (),
    segment_id: int | None = None,
) -> AudienceSummary:
    """Say who gets the campaign. `phones` as people type them; those that are no numbers are kept and reported as such.

    Raises `NotFound`, `InvalidInput`, `Conflict` campaign_running.
    """
    with transaction.atomic():
        campaign = _editable(campaign_id)
        selection = _selection(kind, phones, contact_ids, group_ids, segment_id)
        campaign.entries.all()._raw_delete(campaign.entries.db)
        Campaign.objects.filter(pk=campaign.pk).update(
            audience_kind=kind, audience=selection, updated_at=datetime.now(UTC)
        )
        audit_record(action="campaign.audience_set", subject=campaign, new={"kind": kind, **selection})
        if kind == Campaign.Audience.LIST:
            return _phones_add(campaign, phones, organization.default_country)
        if kind == Campaign.Audience.CONTACTS:
            return _contacts_add(campaign, contact_ids)
    return AudienceSummary(0, 0, 0)


def campaign_duplicate(*, campaign_id: int, name: str, created_by_id: int | None = None) -> Campaign:
    """A draft with the same content, variants, recipients and options; the schedule is copied switched off."""
    with transaction.atomic():
        source = campaign_get(campaign_id=campaign_id)
        kept = ("channel_id", "content", "audience_kind", "audience", *OPTIONS)
        copy = Campaign(
            name=_name(name), created_by_id=created_by_id, **{field: getattr(source, field) for field in kept}
        )
        copy.save(force_insert=True)
        Variant.objects.bulk_create(
            Variant(campaign=copy, name=variant.name, content=variant.content, percentage=variant.percentage)
            for variant in source.variants.all()
        )
        schedule = Schedule.objects.filter(campaign_id=source.pk).first()
        if schedule is not None:
            schedule.pk, schedule.campaign, schedule.is_active, schedule.next_at = None, copy, False, None
            schedule.save(force_insert=True)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO campaigns_audienceentry (campaign_id, address, problem, contact_id)"
                " SELECT %s, address, problem, contact_id FROM campaigns_audienceentry"
                " WHERE campaign_id = %s ORDER BY id",
                [copy.pk, source.pk],
            )
        audit_record(action="campaign.created", subject=copy, new={"copy_of": source.pk, **_described(copy)})
    return copy


def campaign_delete(*, campaign_id: int) -> None:
    """Delete a campaign that never ran. Raises `NotFound`, `Conflict` campaign_has_runs: cancel it instead."""
    with transaction.atomic():
        campaign = campaign_get(campaign_id=campaign_id, lock=True)
        if campaign.runs.exists():
            raise Conflict("campaign_has_runs", _("A campaign that ran is kept for its results."))
        schedule_refresh(campaign=campaign, off=True)
        audit_record(action="campaign.deleted", subject=campaign, old=_described(campaign))
        campaign.delete()


def _described(campaign: Campaign) -> dict[str, Any]:
    """The campaign's fields as the audit log keeps them."""
    values = {field: getattr(campaign, field) for field in ("name", "channel_id", "content", *OPTIONS)}
    return {name: str(value) if isinstance(value, time) else value for name, value in values.items()}


def _editable(campaign_id: int) -> Campaign:
    campaign = campaign_get(campaign_id=campaign_id, lock=True)
    if campaign.runs.filter(status__in=(*ACTIVE, Run.Status.PAUSED)).exists():
        raise Conflict("campaign_running", _("The campaign is being sent and cannot be changed."))
    return campaign


def _apply(campaign: Campaign, values: Mapping[str, Any]) -> None:
    unknown = set(values) - {"name", "channel_id", "content", *OPTIONS}
    if unknown:
        raise InvalidInput(
            "unknown_field", _("A campaign has no such field."), dict.fromkeys(sorted(unknown), _("is unknown"))
        )
    for field, value in values.items():
        setattr(campaign, field, value)
    campaign.name = _name(campaign.name)
    problems = {field: text for field, text in _problems(campaign).items() if text}
    if problems:
        raise InvalidInput("invalid_campaign", _("The campaign cannot be saved like this."), problems)
    channel = Channel.objects.filter(pk=campaign.channel_id).first()
    if channel is None:
        raise InvalidInput("channel_not_found", _("There is no such channel."), {"channel": _("does not exist")})
    campaign.content = dict(campaign.content)
    content_check(channel=channel, content=campaign.content)


def _problems(campaign: Campaign) -> dict[str, str]:
    """field -> what is wrong with it, "" where nothing is."""
    rule = (campaign.sample_percent, campaign.winner_metric or None, campaign.winner_wait_minutes)
    given = [value is not None for value in rule]
    sample, wait = campaign.sample_percent, campaign.winner_wait_minutes
    return {
        "category": "" if campaign.category in Campaign.Category.values else _("is unknown"),
        "zone": "" if campaign.zone in all_zones() and ZoneInfo(campaign.zone) else _("is not a time zone"),
        "quiet_until": ""
        if (campaign.quiet_from is None) == (campaign.quiet_until is None)
        else _("quiet hours need a beginning and an end"),
        "grace_minutes": ""
        if 0 <= campaign.grace_minutes <= _MAX_GRACE
        else _("must be 0 to %(most)s") % {"most": _MAX_GRACE},
        "winner_metric": "" if campaign.winner_metric in ("", *Campaign.WinnerMetric.values) else _("is unknown"),
        "sample_percent": _("must be 1 to 99")
        if sample is not None and not 1 <= sample <= 99
        else ("" if all(given) or not any(given) else _("a winner needs a metric, a sample and a wait")),
        "winner_wait_minutes": ""
        if wait is None or 1 <= wait <= _MAX_GRACE
        else _("must be 1 to %(most)s") % {"most": _MAX_GRACE},
    }


def _name(name: str) -> str:
    text = " ".join(name.replace("\x00", "").split())
    if not 1 <= len(text) <= 120:
        raise InvalidInput("invalid_name", _("A campaign needs a name."), {"name": _("must have 1 to 120 characters")})
    return text


def _variants_check(campaign: Campaign, variants: Sequence[VariantInput]) -> None:
    if not variants:
        return
    problems = {}
    if not 2 <= len(variants) <= VARIANTS_MOST:
        problems["variants"] = _("there must be 2 to %(most)s") % {"most": VARIANTS_MOST}
    elif sum(item.percentage for item in variants) != 100:
        problems["variants"] = _("the percentages must add up to 100")
    names = [item.name.strip() for item in variants]
    for index, item in enumerate(variants):
        if not 1 <= item.percentage <= 100:
            problems[f"variants.{index}.percentage"] = _("must be 1 to 100")
        if not 1 <= len(names[index]) <= 60 or names[index] in names[:index]:
            problems[f"variants.{index}.name"] = _("must have 1 to 60 characters and differ from the others")
        try:
            content_check(channel=campaign.channel, content=item.content)
        except InvalidInput as error:
            problems[f"variants.{index}.content"] = error.message
    if problems:
        raise InvalidInput("invalid_variants", _("The variants cannot be used."), problems)


def _selection(
    kind: str,
    phones: Sequence[str],
    contact_ids: Sequence[int],
    group_ids: Sequence[int],
    segment_id: int | None,
) -> dict[str, Any]:
    if kind not in Campaign.Audience.values:
        raise InvalidInput("invalid_audience", _("The kind of recipients is unknown."), {"audience": _("is unknown")})
    if kind == Campaign.Audience.LIST and not phones:
        raise InvalidInput("invalid_audience", _("The list is empty."), {"phones": _("is required")})
    if kind == Campaign.Audience.CONTACTS and not contact_ids:
        raise InvalidInput("invalid_audience", _("No contact is chosen."), {"contact_ids": _("is required")})
    if kind == Campaign.Audience.GROUPS:
        wanted = sorted(set(group_ids))
        known = set(Group.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        if not wanted or known != set(wanted):
            raise InvalidInput(
                "invalid_audience", _("A group does not exist."), {"group_ids": _("must name existing groups")}
            )
        return {"group_ids": wanted}
    if kind == Campaign.Audience.SEGMENT:
        if segment_id is None or not Segment.objects.filter(pk=segment_id).exists():
            raise InvalidInput("invalid_audience", _("There is no such segment."), {"segment_id": _("does not exist")})
        return {"segment_id": segment_id}
    return {}


def _phones_add(campaign: Campaign, phones: Sequence[str], country: str) -> AudienceSummary:
    kept = invalid = 0
    for start in range(0, len(phones), _BATCH):
        rows = [_entry(phone, country) for phone in phones[start : start + _BATCH]]
        added = _entries_insert(campaign, [address for address, _ in rows], [problem for _, problem in rows])
        kept += sum(1 for problem in added if not problem)
        invalid += sum(1 for problem in added if problem)
    return AudienceSummary(kept, len(phones) - kept - invalid, invalid)


def _entry(phone: str, country: str) -> tuple[str, str]:
    try:
        return phone_normalise(phone, country), ""
    except BadPhone as error:
        return phone.replace("\x00", "").strip()[:160], str(error)


def _entries_insert(campaign: Campaign, addresses: list[str], problems: list[str]) -> list[str]:
    """Insert what is new, in the given order; returns the problems of the rows that went in."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_audienceentry (campaign_id, address, problem)"
            " SELECT %s, address, problem"
            " FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS row(address, problem, n)"
            " ORDER BY n ON CONFLICT DO NOTHING RETURNING problem",
            [campaign.pk, addresses, problems],
        )
        return [problem for (problem,) in cursor.fetchall()]


def _contacts_add(campaign: Campaign, contact_ids: Sequence[int]) -> AudienceSummary:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_audienceentry (campaign_id, address, contact_id)"
            " SELECT %s, '', id FROM contacts_contact WHERE id = ANY(%s) ORDER BY id ON CONFLICT DO NOTHING",
            [campaign.pk, list(contact_ids)],
        )
        kept = cursor.rowcount
    if not kept:
        raise InvalidInput("invalid_audience", _("None of these contacts exists."), {"contact_ids": _("do not exist")})
    distinct = len(set(contact_ids))
    return AudienceSummary(kept, len(contact_ids) - distinct, distinct - kept)
