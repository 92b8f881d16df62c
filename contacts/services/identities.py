"""Finding and creating contacts by the names under which providers know them, and when they last wrote.

All of it works in the current schema and is safe when several processes do the same at once: unique keys decide, and
every statement takes its rows in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from contacts.merging import contacts_merge
from contacts.models import Contact, Identity
from tenants.fields import uuid7

NAME_LENGTH: Final = 160
_PHONE: Final = Identity.Kind.PHONE
Pair = tuple[str, str]
# New people in one transaction: each holds an advisory lock or two, for which the server keeps a table of limited size.
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Person:
    """How a provider names somebody: (kind, value) pairs, the best first, and the name that they show."""

    identities: tuple[Pair, ...]
    name: str = ""


def contact_find_or_create(*, identities: Sequence[Pair], name: str = "") -> int:
    """The id of the contact that has these identities; a new contact when nobody has one of them.

    `identities`: (kind, value) of one person, phones as E.164 digits without +. Identities that are new are added to
    the contact. When a phone and a user id have been two contacts so far, and the latter has no other phone, they
    become one; otherwise the phone decides and takes the user id over.
    """
    if not identities:
        raise ValueError("a contact needs at least one identity")
    found = _owners(identities)
    if len(found) == len(set(identities)) and len(set(found.values())) == 1:
        return next(iter(found.values()))
    with transaction.atomic():
        _lock(identities)
        return _settle(identities, name)


def contacts_resolve(people: Sequence[Person]) -> list[int]:
    """The contact ids of `people`, in their order: one query for the known ones, a few statements for the new ones.

    Only people who were known by one of their names but not by another cost a transaction each.
    """
    found = _owners({pair for person in people for pair in person.identities})
    new: list[Person] = []
    named = set(found)
    for person in people:
        # Somebody who shares a name with an earlier one is looked at again below.
        if named.isdisjoint(person.identities):
            new.append(person)
        named.update(person.identities)
    for start in range(0, len(new), _AT_ONCE):
        found |= _strangers_create(new[start : start + _AT_ONCE])
    ids = []
    for person in people:
        owners = {found.get(pair) for pair in person.identities}
        owner = owners.pop() if len(owners) == 1 else None
        if owner is None:
            owner = contact_find_or_create(identities=person.identities, name=person.name)
            found |= dict.fromkeys(person.identities, owner)
        ids.append(owner)
    return ids


def contacts_save(*, phones: Sequence[str]) -> dict[str, int]:
    """Phone -> contact id for E.164 digits without +; unknown phones become contacts, all in four statements."""
    wanted = sorted(set(phones))
    found = {value: owner for (_, value), owner in _owners((_PHONE, phone) for phone in wanted).items()}
    missing = [phone for phone in wanted if phone not in found]
    if not missing:
        return found
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_contact (uuid, name, phone, email, created_at)"
            " SELECT uuid, '', phone, '', now() FROM unnest(%s::uuid[], %s::text[]) AS row(uuid, phone)"
            " ORDER BY phone ON CONFLICT (phone) DO NOTHING",
            [[uuid7() for _ in missing], missing],
        )
        cursor.execute(
            "INSERT INTO contacts_identity (contact_id, kind, value, created_at)"
            " SELECT id, 'phone', phone, now() FROM contacts_contact WHERE phone = ANY(%s)"
            " ORDER BY phone ON CONFLICT (kind, value) DO NOTHING",
            [missing],
        )
    found |= {value: owner for (_, value), owner in _owners((_PHONE, phone) for phone in missing).items()}
    return found


def contact_identity_move(*, kind: str, previous: str, current: str) -> bool:
    """The person behind (kind, `previous`) is now (kind, `current`); both stay theirs. False when nobody is known.

    A contact that exists only because the new name was seen first is merged. A `current` that belongs to somebody with
    a phone of their own is left alone: numbers are given to other people.
    """
    with transaction.atomic():
        _lock([(kind, previous), (kind, current)])
        found = _owners([(kind, previous), (kind, current)])
        owner, other = found.get((kind, previous)), found.get((kind, current))
        if owner is None:
            return False
        if other is None:
            if kind == _PHONE and not _phone_set(Contact.objects.filter(pk=owner), current):
                return contact_identity_move(kind=kind, previous=previous, current=current)
            _identities_add(owner, [(kind, current)])
        elif other != owner and not _has_other_phone(other, None):
            contacts_merge(keep_id=min(owner, other), drop_id=max(owner, other))
    return True


def contacts_seen(*, sightings: Iterable[tuple[int, datetime, str]]) -> None:
    """Note when contacts last wrote, and their name where we have none. `sightings`: (contact id, when, name)."""
    latest: dict[int, tuple[datetime, str]] = {}
    for contact_id, at, name in sightings:
        before = latest.get(contact_id)
        if before is None or at >= before[0]:
            latest[contact_id] = (at, name or (before[1] if before else ""))
    ids = sorted(latest)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH locked AS (SELECT id FROM contacts_contact WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE contacts_contact contact SET last_seen_at = GREATEST(contact.last_seen_at, row.at),"
            " name = CASE WHEN contact.name = '' THEN row.name ELSE contact.name END"
            " FROM locked, unnest(%(ids)s::bigint[], %(at)s::timestamptz[], %(names)s::text[]) AS row(id, at, name)"
            " WHERE contact.id = locked.id AND contact.id = row.id",
            {"ids": ids, "at": [latest[key][0] for key in ids], "names": [_clean(latest[key][1]) for key in ids]},
        )


def contact_name_learn(*, contact_id: int, name: str) -> bool:
    """Give a contact the name that a provider tells; False when it has one by now: what people entered stays."""
    found = Contact.objects.filter(pk=contact_id, name="")
    return bool(found.update(name=_clean(name), updated_at=timezone.now()))


def _owners(pairs: Iterable[Pair]) -> dict[Pair, int]:
    """(kind, value) -> contact id, for those that exist."""
    by_kind: dict[str, list[str]] = {}
    for kind, value in pairs:
        by_kind.setdefault(kind, []).append(value)
    found: dict[Pair, int] = {}
    for kind, values in by_kind.items():
        rows = Identity.objects.filter(kind=kind, value__in=values).values_list("value", "contact_id")
        found |= {(kind, value): owner for value, owner in rows}
    return found


def _strangers_create(people: Sequence[Person]) -> dict[Pair, int]:
    """Contacts for people of whom no name was known a moment ago and who share none; (kind, value) -> contact id.

    Somebody whom another process created meanwhile is left out. The rows go in in the order of their phones, like
    those of `contacts_save`, so that neither waits for the other in a circle.
    """
    pairs = sorted({pair for person in people for pair in person.identities})
    with transaction.atomic(), connection.cursor() as cursor:
        _lock(pairs)
        known = _owners(pairs)
        new = [person for person in people if not any(pair in known for pair in person.identities)]
        uuids = [uuid7() for _ in new]
        cursor.execute(
            "INSERT INTO contacts_contact (uuid, name, phone, email, created_at)"
            " SELECT uuid, name, phone, '', now() FROM unnest(%s::uuid[], %s::text[], %s::text[])"
            " AS row(uuid, name, phone) ORDER BY phone ON CONFLICT (phone) DO NOTHING RETURNING uuid, id",
            [uuids, [_clean(person.name) for person in new], [_phone_of(person.identities) for person in new]],
        )
        ids = dict(cursor.fetchall())
        created = [
            (kind, value, ids[uuid])
            for uuid, person in zip(uuids, new, strict=True)
            if uuid in ids
            for kind, value in set(person.identities)
        ]
        cursor.execute(
            "INSERT INTO contacts_identity (contact_id, kind, value, created_at)"
            " SELECT contact, kind, value, now() FROM unnest(%s::text[], %s::text[], %s::bigint[])"
            " AS row(kind, value, contact) ORDER BY kind, value",
            [list(column) for column in zip(*sorted(created), strict=True)] or [[], [], []],
        )
    return {(kind, value): contact for kind, value, contact in created}


def _settle(identities: Sequence[Pair], name: str) -> int:
    """Under the locks of `identities`: find, create, attach or merge."""
    found = _owners(identities)
    owners = set(found.values())
    if not owners:
        return _create(identities, name)
    owner = _chosen(identities, found)
    for other in owners - {owner}:
        owner = _join(owner, other, identities)
    # A contact known by a user id shows its phone as soon as that is known. First the contact, then the identities, as
    # `contacts_save` and imports do, which take no locks of ours: else one would wait for the other in a circle.
    phone = _phone_of(identities)
    if phone and not _phone_set(Contact.objects.filter(pk=owner, phone__isnull=True), phone):
        return _settle(identities, name)
    _identities_add(owner, identities)
    return owner


def _chosen(identities: Sequence[Pair], found: Mapping[Pair, int]) -> int:
    """The owner of the phone, else of the first identity that is known."""
    known = [pair for pair in identities if pair in found]
    return found[min(known, key=lambda pair: pair[0] != _PHONE)]


def _join(owner: int, other: int, identities: Sequence[Pair]) -> int:
    """Two contacts claim one person. Merge them unless the other one has a phone of its own: then only the ids move."""
    phone = _phone_of(identities)
    if _has_other_phone(other, phone):
        for kind, value in identities:
            Identity.objects.filter(kind=kind, value=value, contact_id=other).update(contact_id=owner)
        return owner
    keep, drop = min(owner, other), max(owner, other)
    contacts_merge(keep_id=keep, drop_id=drop)
    return keep


def _has_other_phone(contact_id: int, phone: str | None) -> bool:
    phones = Identity.objects.filter(contact_id=contact_id, kind=_PHONE)
    return (phones.exclude(value=phone) if phone else phones).exists()


def _create(identities: Sequence[Pair], name: str) -> int:
    phone = _phone_of(identities)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_contact (uuid, name, phone, email, created_at) VALUES (%s, %s, %s, '', now())"
            " ON CONFLICT (phone) DO NOTHING RETURNING id",
            [uuid7(), _clean(name), phone],
        )
        row = cursor.fetchone()
    owner = int(row[0]) if row else Contact.objects.values_list("id", flat=True).get(phone=phone)
    _identities_add(owner, identities)
    # `contacts_save` takes no locks of ours: had it been quicker with the same phone, its contact is the one.
    winner = _chosen(identities, _owners(identities))
    if winner != owner and row:
        contacts_merge(keep_id=winner, drop_id=owner)
    return winner


def _identities_add(contact_id: int, identities: Sequence[Pair]) -> None:
    ordered = sorted(set(identities))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_identity (contact_id, kind, value, created_at)"
            " SELECT %s, kind, value, now() FROM unnest(%s::text[], %s::text[]) AS row(kind, value)"
            " ON CONFLICT (kind, value) DO NOTHING",
            [contact_id, [kind for kind, _ in ordered], [value for _, value in ordered]],
        )


def _phone_set(contacts: QuerySet[Contact], phone: str) -> bool:
    """Give the contact the phone unless somebody has it. False when somebody got it at this very moment."""
    if not Contact.objects.filter(phone=phone).exists():
        try:
            with transaction.atomic():
                contacts.update(phone=phone)
        except IntegrityError:
            return False
    return True


def _phone_of(identities: Sequence[Pair]) -> str | None:
    return next((value for kind, value in identities if kind == _PHONE), None)


def _lock(pairs: Iterable[Pair]) -> None:
    """Advisory locks of the transaction, one per identity and schema, in a fixed order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || name, 0))"
            " FROM unnest(%s::text[]) AS name",
            [[f":{kind}:{value}" for kind, value in sorted(set(pairs))]],
        )


def _clean(name: str) -> str:
    """A name as the database can hold it."""
    return name.replace("\x00", "").strip()[:NAME_LENGTH]
