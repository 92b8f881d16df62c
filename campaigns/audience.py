"""Audiences: who a campaign goes to, as a query that is read in the order of a key, piece by piece.

Every audience yields the same columns: `key` (bigint, unique and growing), `contact_id`, `address` (by which the
channel reaches them), `phone` (E.164 digits without +, or ""), `name`, `email`, `custom` (jsonb), `timezone`, `held`
(why they cannot get anything: inactive, no_address, invalid_phone; or NULL) and `detail`. Reading it from a stored key
on continues exactly where it stopped, with memory for one piece only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection

from campaigns.models import AudienceEntry, Campaign
from contacts.models import Contact, Identity
from contacts.services.segments import segment_condition


@dataclass(frozen=True, slots=True)
class AudienceQuery:
    """A SELECT with the columns above and the named parameters `after`, `until` and `limit` besides its own."""

    sql: str
    params: dict[str, Any] = field(default_factory=dict)


_CONTACT_COLUMNS: Final = """contact.id AS contact_id, {address} AS address,
       COALESCE(contact.phone, '') AS phone, contact.name, contact.email,
       contact.custom, contact.timezone,
       CASE WHEN contact.status <> 'active' THEN 'inactive' WHEN {address} IS NULL THEN 'no_address' END AS held,
       '' AS detail"""

# Entries of a list have a contact when one has the number: its name and fields fill the variables.
_LIST: Final = """
SELECT entry.id AS key, contact.id AS contact_id, NULLIF(entry.address, '') AS address,
       entry.address AS phone, COALESCE(contact.name, '') AS name, COALESCE(contact.email, '') AS email,
       COALESCE(contact.custom, '{}'::jsonb) AS custom, COALESCE(contact.timezone, '') AS timezone,
       CASE WHEN entry.problem <> '' THEN 'invalid_phone' END AS held, entry.problem AS detail
FROM campaigns_audienceentry entry
LEFT JOIN contacts_identity identity ON identity.kind = ANY(%(address_kinds)s) AND identity.value = entry.address
LEFT JOIN contacts_contact contact ON contact.id = identity.contact_id
WHERE entry.campaign_id = %(campaign)s AND entry.id > %(after)s AND entry.id <= %(until)s
ORDER BY entry.id LIMIT %(limit)s"""

_CONTACTS: Final = """
SELECT entry.id AS key, {columns}
FROM campaigns_audienceentry entry JOIN contacts_contact contact ON contact.id = entry.contact_id
WHERE entry.campaign_id = %(campaign)s AND entry.id > %(after)s AND entry.id <= %(until)s
ORDER BY entry.id LIMIT %(limit)s"""

_FILTERED: Final = """
SELECT contact.id AS key, {columns}
FROM contacts_contact contact
WHERE contact.id > %(after)s AND contact.id <= %(until)s AND ({condition})
ORDER BY contact.id LIMIT %(limit)s"""

_IN_GROUPS: Final = """EXISTS (SELECT 1 FROM contacts_groupmember member
    WHERE member.contact_id = contact.id AND member.group_id = ANY(%(groups)s))"""


def audience_query(campaign: Campaign, *, address_kinds: Sequence[str]) -> AudienceQuery:
    """The query of the campaign's audience; `address_kinds` are the identities by which its channel reaches people.

    Raises `NotFound` for a segment that is gone, `InvalidInput` for one that cannot be used any more.
    """
    return _COMPILERS[campaign.audience_kind](campaign, address_kinds)


def audience_last_key(campaign: Campaign) -> int:
    """The last key that there is now: whoever comes later is not part of a run that has begun."""
    if campaign.audience_kind in (Campaign.Audience.LIST, Campaign.Audience.CONTACTS):
        entries = AudienceEntry.objects.filter(campaign_id=campaign.pk).order_by("-id")
        return entries.values_list("id", flat=True).first() or 0
    return Contact.objects.order_by("-id").values_list("id", flat=True).first() or 0


def audience_is_empty(campaign: Campaign, *, address_kinds: Sequence[str]) -> bool:
    """Whether nobody is in the audience now."""
    query = audience_query(campaign, address_kinds=address_kinds)
    with connection.cursor() as cursor:
        cursor.execute(query.sql, {**query.params, "after": 0, "until": 2**62, "limit": 1})
        return cursor.fetchone() is None


def _columns(address_kinds: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Phones are kept with the contact; other names of a person are looked up, the first kind that they have."""
    kinds = list(address_kinds)
    phone_first = kinds[0] == Identity.Kind.PHONE
    others = kinds[1:] if phone_first else kinds
    if not others:
        return _CONTACT_COLUMNS.format(address="contact.phone"), {}
    looked_up = """(SELECT identity.value FROM contacts_identity identity
        WHERE identity.contact_id = contact.id AND identity.kind = ANY(%(other_kinds)s)
        ORDER BY array_position(%(other_kinds)s, identity.kind::text), identity.id LIMIT 1)"""
    address = f"COALESCE(contact.phone, {looked_up})" if phone_first else looked_up
    return _CONTACT_COLUMNS.format(address=address), {"other_kinds": others}


def _list(campaign: Campaign, address_kinds: Sequence[str]) -> AudienceQuery:
    return AudienceQuery(_LIST, {"campaign": campaign.pk, "address_kinds": list(address_kinds)})


def _contacts(campaign: Campaign, address_kinds: Sequence[str]) -> AudienceQuery:
    columns, params = _columns(address_kinds)
    return AudienceQuery(_CONTACTS.format(columns=columns), {**params, "campaign": campaign.pk})


def _filtered(condition: str, params: dict[str, Any], address_kinds: Sequence[str]) -> AudienceQuery:
    columns, own = _columns(address_kinds)
    # Not `format`: the condition may hold braces.
    sql = _FILTERED.replace("{columns}", columns).replace("{condition}", condition)
    return AudienceQuery(sql, {**own, **params})


def _groups(campaign: Campaign, address_kinds: Sequence[str]) -> AudienceQuery:
    return _filtered(_IN_GROUPS, {"groups": campaign.audience.get("group_ids", [])}, address_kinds)


def _segment(campaign: Campaign, address_kinds: Sequence[str]) -> AudienceQuery:
    condition = segment_condition(segment_id=campaign.audience.get("segment_id", 0))
    # Its parameters are positional; here all are named.
    parts = condition.sql.split("%s")
    names = [f"segment_{index}" for index in range(len(condition.params))]
    text = "".join(part + (f"%({names[index]})s" if index < len(names) else "") for index, part in enumerate(parts))
    return _filtered(text, dict(zip(names, condition.params, strict=True)), address_kinds)


def _all(campaign: Campaign, address_kinds: Sequence[str]) -> AudienceQuery:
    return _filtered("true", {}, address_kinds)


_COMPILERS: Final[dict[str, Callable[[Campaign, Sequence[str]], AudienceQuery]]] = {
    Campaign.Audience.LIST: _list,
    Campaign.Audience.CONTACTS: _contacts,
    Campaign.Audience.GROUPS: _groups,
    Campaign.Audience.SEGMENT: _segment,
    Campaign.Audience.ALL: _all,
}
