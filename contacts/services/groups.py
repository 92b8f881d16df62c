"""Groups: the members come and go by one statement, whatever their number, and the kept count goes with them."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from audit.services.recording import audit_record, differences
from contacts.models import Contact, Group
from tenants.errors import Conflict, InvalidInput, NotFound

# Ids in order: two calls with the same contacts wait for each other, they do not deadlock.
_ADD = """
WITH locked AS (SELECT id FROM contacts_group WHERE id = %(group)s FOR NO KEY UPDATE),
added AS (
    INSERT INTO contacts_groupmember (group_id, contact_id)
    SELECT locked.id, contact.id FROM locked, contacts_contact contact
    WHERE contact.id = ANY(%(contacts)s::bigint[]) ORDER BY contact.id
    ON CONFLICT (group_id, contact_id) DO NOTHING
    RETURNING 1)
UPDATE contacts_group SET member_count = member_count + (SELECT count(*) FROM added)
WHERE id = %(group)s RETURNING (SELECT count(*) FROM added)
"""

_REMOVE = """
WITH locked AS (SELECT id FROM contacts_group WHERE id = %(group)s FOR NO KEY UPDATE),
removed AS (
    DELETE FROM contacts_groupmember USING locked
    WHERE group_id = locked.id AND contact_id = ANY(%(contacts)s::bigint[])
    RETURNING contact_id),
forgotten AS (
    UPDATE contacts_contact SET primary_group_id = NULL
    WHERE id IN (SELECT contact_id FROM removed) AND primary_group_id = %(group)s)
UPDATE contacts_group SET member_count = member_count - (SELECT count(*) FROM removed)
WHERE id = %(group)s RETURNING (SELECT count(*) FROM removed)
"""

# Before contacts are deleted: the memberships go by the cascade, the counts here.
_LEAVE_ALL = """
WITH gone AS (
    SELECT group_id, count(*) AS members FROM contacts_groupmember
    WHERE contact_id = ANY(%(contacts)s::bigint[]) GROUP BY group_id),
locked AS (
    SELECT contacts_group.id, gone.members FROM contacts_group JOIN gone ON gone.group_id = contacts_group.id
    ORDER BY contacts_group.id FOR NO KEY UPDATE OF contacts_group)
UPDATE contacts_group SET member_count = member_count - locked.members FROM locked WHERE locked.id = contacts_group.id
"""


def group_create(*, name: str, description: str = "") -> Group:
    """A new group. Raises `InvalidInput` for an empty name, `Conflict` when there is one of that name in any case."""
    name = _name(name)
    try:
        with transaction.atomic():
            group = Group.objects.create(name=name, description=description.replace("\x00", "").strip()[:300])
            audit_record(action="group.created", subject=group, new=_described(group))
            return group
    except IntegrityError as error:
        raise Conflict("group_exists", _("There is a group of this name."), {"name": _("is taken")}) from error


def group_update(*, group_id: int, name: str | None = None, description: str | None = None) -> Group:
    """Rename or describe a group; None leaves a value as it is. Raises `NotFound`, `InvalidInput`, `Conflict`."""
    changes = {}
    if name is not None:
        changes["name"] = _name(name)
    if description is not None:
        changes["description"] = description.replace("\x00", "").strip()[:300]
    try:
        with transaction.atomic():
            old = _described(group_get(group_id=group_id))
            if changes:
                Group.objects.filter(pk=group_id).update(**changes)
            group = group_get(group_id=group_id)
            before, after = differences(old, _described(group))
            if after:
                audit_record(action="group.updated", subject=group, old=before, new=after)
    except IntegrityError as error:
        raise Conflict("group_exists", _("There is a group of this name."), {"name": _("is taken")}) from error
    return group


def group_get(*, group_id: int) -> Group:
    """The group; raises `NotFound`."""
    group = Group.objects.filter(pk=group_id).first()
    if group is None:
        raise NotFound("group_not_found", _("There is no such group."))
    return group


def group_ensure(*, name: str) -> int:
    """The id of the group of that name (in any case); created when there is none."""
    name = _name(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM contacts_group WHERE lower(name) = lower(%s)", [name])
        row = cursor.fetchone()
    if row:
        return int(row[0])
    try:
        return group_create(name=name).pk
    except Conflict:
        return Group.objects.values_list("pk", flat=True).get(name__iexact=name)


def group_delete(*, group_id: int) -> None:
    """Delete a group; its contacts stay. Raises `NotFound`."""
    with transaction.atomic():
        group = group_get(group_id=group_id)
        audit_record(action="group.deleted", subject=group, old=_described(group))
        group.delete()


def _described(group: Group) -> dict[str, str]:
    return {"name": group.name, "description": group.description}


def group_members_add(*, group_id: int, contact_ids: Sequence[int]) -> int:
    """Add contacts (unknown ids and members are passed over); returns how many are new. Raises `NotFound`."""
    return _change_members(_ADD, group_id, contact_ids, "group.contacts_added")


def group_members_remove(*, group_id: int, contact_ids: Sequence[int]) -> int:
    """Take contacts out of the group; returns how many were in it. Raises `NotFound`."""
    return _change_members(_REMOVE, group_id, contact_ids, "group.contacts_removed")


def groups_leave(*, contact_ids: Sequence[int]) -> None:
    """Lower the counts of all groups of these contacts, in the transaction that deletes them."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE_ALL, {"contacts": list(contact_ids)})


def contact_primary_group_set(*, contact_id: int, group_id: int | None) -> None:
    """Make `group_id` the contact's main group, member of it included; the former main group is left."""
    with transaction.atomic():
        row = (
            Contact.objects.select_for_update(no_key=True)
            .filter(pk=contact_id)
            .values_list("primary_group_id", flat=True)
        )
        former = row.first()
        if former == group_id:
            return
        if former is not None:
            group_members_remove(group_id=former, contact_ids=[contact_id])
        if group_id is not None:
            group_members_add(group_id=group_id, contact_ids=[contact_id])
        Contact.objects.filter(pk=contact_id).update(primary_group_id=group_id)


def _change_members(statement: str, group_id: int, contact_ids: Sequence[int], action: str) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement, {"group": group_id, "contacts": list(contact_ids)})
            row = cursor.fetchone()
        if row is None:
            raise NotFound("group_not_found", _("There is no such group."))
        if row[0]:
            group = group_get(group_id=group_id)
            audit_record(action=action, subject=group, new={"contacts": int(row[0]), "ids": list(contact_ids)})
    return int(row[0])


def group_name_clean(name: str) -> str:
    """A group's name in one line of 1 to 80 characters. Raises `ValueError`."""
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise ValueError(_("is required"))
    if len(name) > 80:
        raise ValueError(_("must have at most 80 characters"))
    return name


def _name(name: str) -> str:
    try:
        return group_name_clean(name)
    except ValueError as error:
        raise InvalidInput(
            "invalid_name", _("A group needs a name of 1 to 80 characters."), {"name": str(error)}
        ) from error
