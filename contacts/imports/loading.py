"""A chunk becomes contacts, identities and memberships: COPY into a temporary table, then a few statements.

All of it happens in the caller's transaction, in which the import's place moves too. Rows are locked in a fixed order:
contacts by phone or id, then groups by id, as everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from contacts.imports.chunks import Chunk
from contacts.imports.rows import Problem, Row, cells_kept
from contacts.imports.staging import stage
from contacts.models import Contact, ContactImport, Group, ImportProblem
from contacts.services.contacts import ContactOwner, contact_payload
from contacts.services.groups import group_ensure
from contacts.values import MAX_TAGS
from tenants.services.plans import limit_room
from webhooks_app.models import Endpoint
from webhooks_app.services.events import NewEvent, events_publish

_EVENT_BATCH: Final = 1_000

# Tables of any size meet a chunk in these statements: `LIMIT 1`, `= ANY(ARRAY(...))` and, for the update, the refusal
# of hash and merge joins have them looked up by their indexes, never read as a whole, whatever the statistics say.
_KNOWN: Final = """
UPDATE contacts_import_row AS imported SET contact_id = known.contact_id
FROM (SELECT phone, identity.contact_id FROM contacts_import_row CROSS JOIN LATERAL (
          SELECT contact_id FROM contacts_identity WHERE kind = 'phone' AND value = phone LIMIT 1) AS identity) AS known
WHERE imported.phone = known.phone
"""

# Rows that the plan has no room for, the last ones of the file; they are told as mistakes.
_REFUSE: Final = """
DELETE FROM contacts_import_row WHERE contact_id IS NULL AND phone IN (
    SELECT phone FROM contacts_import_row WHERE contact_id IS NULL ORDER BY row OFFSET %(room)s)
RETURNING phone
"""

# `created_at` is the import's start to the microsecond: so a later row of the same file is known to mean a contact that
# the file itself has brought, also after a crash.
_CREATE: Final = """
WITH fresh AS (
    INSERT INTO contacts_contact (uuid, name, phone, email, status, custom, tags, primary_group_id, language, timezone,
                                  created_at, updated_at)
    SELECT uuid, COALESCE(name, ''), phone, COALESCE(email, ''), COALESCE(status, 'active'), COALESCE(custom, '{}'),
           COALESCE(tags, '{}'), group_id, COALESCE(language, ''), COALESCE(timezone, ''), %(started)s, now()
    FROM contacts_import_row WHERE contact_id IS NULL ORDER BY phone
    ON CONFLICT (phone) DO NOTHING RETURNING id, phone),
named AS (
    INSERT INTO contacts_identity (contact_id, kind, value, created_at)
    SELECT id, 'phone', phone, now() FROM fresh ORDER BY phone
    ON CONFLICT (kind, value) DO NOTHING)
UPDATE contacts_import_row AS imported SET contact_id = fresh.id, is_new = true
FROM fresh WHERE imported.phone = fresh.phone
"""

# Somebody else was quicker with the same number.
_OVERTAKEN: Final = """
UPDATE contacts_import_row AS imported SET contact_id = contact.id
FROM contacts_contact contact
WHERE contact.phone = ANY(ARRAY(SELECT phone FROM contacts_import_row WHERE contact_id IS NULL))
  AND imported.contact_id IS NULL AND contact.phone = imported.phone
"""

_COMPARE: Final = """
WITH locked AS (
    SELECT contact.* FROM contacts_contact contact
    WHERE contact.id = ANY(ARRAY(SELECT contact_id FROM contacts_import_row WHERE NOT is_new))
      AND (%(update)s OR contact.created_at = %(started)s)
    ORDER BY contact.id FOR NO KEY UPDATE)
UPDATE contacts_import_row AS imported SET old_group_id = locked.primary_group_id, changed = array_remove(ARRAY[
    CASE WHEN imported.name <> locked.name THEN 'name' END,
    CASE WHEN imported.email <> locked.email THEN 'email' END,
    CASE WHEN imported.group_id IS DISTINCT FROM locked.primary_group_id AND imported.group_id IS NOT NULL
         THEN 'group' END,
    CASE WHEN imported.status <> locked.status THEN 'status' END,
    CASE WHEN locked.custom || imported.custom <> locked.custom THEN 'custom_fields' END,
    CASE WHEN NOT locked.tags @> imported.tags THEN 'tags' END,
    CASE WHEN imported.language <> locked.language THEN 'language' END,
    CASE WHEN imported.timezone <> locked.timezone THEN 'timezone' END], NULL)
FROM locked WHERE imported.contact_id = locked.id
"""

_UPDATE: Final = """
UPDATE contacts_contact AS contact SET
    name = COALESCE(imported.name, contact.name), email = COALESCE(imported.email, contact.email),
    status = COALESCE(imported.status, contact.status), custom = contact.custom || COALESCE(imported.custom, '{}'),
    tags = CASE WHEN 'tags' = ANY(imported.changed)
                THEN (ARRAY(SELECT DISTINCT tag COLLATE "C" FROM unnest(contact.tags || imported.tags) AS tag
                            ORDER BY 1))[1:%(most_tags)s]
                ELSE contact.tags END,
    primary_group_id = COALESCE(imported.group_id, contact.primary_group_id),
    language = COALESCE(imported.language, contact.language), timezone = COALESCE(imported.timezone, contact.timezone),
    updated_at = now()
FROM contacts_import_row imported WHERE contact.id = imported.contact_id AND imported.changed <> '{}'
"""

# The main group that is left loses the member; the new one, and the group that everybody joins, win one.
_GROUPS: Final = """
WITH wanted AS (
    SELECT group_id, contact_id FROM contacts_import_row
    WHERE group_id IS NOT NULL AND (is_new OR 'group' = ANY(changed))
    UNION
    SELECT %(everybody)s::bigint, contact_id FROM contacts_import_row
    WHERE %(everybody)s::bigint IS NOT NULL AND (is_new OR changed IS NOT NULL)),
locked AS (
    SELECT id FROM contacts_group
    WHERE id IN (SELECT group_id FROM wanted UNION SELECT old_group_id FROM contacts_import_row)
    ORDER BY id FOR NO KEY UPDATE),
left_behind AS (
    DELETE FROM contacts_groupmember member USING contacts_import_row imported
    WHERE member.contact_id = ANY(ARRAY(SELECT contact_id FROM contacts_import_row WHERE 'group' = ANY(changed)))
      AND 'group' = ANY(imported.changed) AND member.group_id = imported.old_group_id
      AND member.contact_id = imported.contact_id AND (SELECT count(*) FROM locked) >= 0
      AND NOT EXISTS (SELECT 1 FROM wanted
                      WHERE wanted.group_id = member.group_id AND wanted.contact_id = member.contact_id)
    RETURNING member.group_id),
joined AS (
    INSERT INTO contacts_groupmember (group_id, contact_id)
    SELECT wanted.group_id, wanted.contact_id FROM wanted JOIN locked ON locked.id = wanted.group_id
    ORDER BY wanted.group_id, wanted.contact_id
    ON CONFLICT (group_id, contact_id) DO NOTHING RETURNING group_id),
change AS (
    SELECT group_id, sum(members) AS members
    FROM (SELECT group_id, 1 AS members FROM joined UNION ALL SELECT group_id, -1 FROM left_behind) AS moves
    GROUP BY group_id)
UPDATE contacts_group SET member_count = member_count + change.members
FROM change WHERE contacts_group.id = change.group_id AND change.members <> 0
"""

_COUNT: Final = """
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE changed <> '{}'), count(*) FILTER (WHERE changed = '{}'),
       count(*) FILTER (WHERE NOT is_new AND changed IS NULL)
FROM contacts_import_row
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the rows of a chunk."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0

    def __add__(self, other: Loaded) -> Loaded:
        return Loaded(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.skipped + other.skipped,
        )


def chunk_load(*, organization: ContactOwner, contact_import: ContactImport, chunk: Chunk) -> bool:
    """Store a chunk, and move the import behind it; False when it is not running any more, or not at this place.

    One transaction. Raises `LimitReached` when the organisation has no plan at all; rows beyond the plan's contacts are
    told as mistakes.
    """
    with transaction.atomic():
        place = {"cursor": contact_import.cursor, "position": contact_import.position}
        current = ContactImport.objects.filter(pk=contact_import.pk, status=ContactImport.Status.RUNNING, **place)
        if current.select_for_update().first() is None:
            return False
        problems = list(chunk.problems)
        groups = {key: group_ensure(name=name) for key, name in chunk.new_groups.items()}
        groups |= _group_ids(chunk.rows, groups)
        loaded = _rows_load(organization, contact_import, chunk.rows, groups, problems)
        _problems_store(contact_import, problems)
        moved = {
            "cursor": chunk.offset,
            "position": chunk.position,
            "rows_read": F("rows_read") + chunk.read,
            "rows_created": F("rows_created") + loaded.created,
            "rows_updated": F("rows_updated") + loaded.updated,
            "rows_unchanged": F("rows_unchanged") + loaded.unchanged,
            "rows_skipped": F("rows_skipped") + loaded.skipped,
            "rows_repeated": F("rows_repeated") + chunk.repeated,
            "rows_failed": F("rows_failed") + len(problems),
        }
        ContactImport.objects.filter(pk=contact_import.pk).update(**moved)
    contact_import.cursor, contact_import.position = chunk.offset, chunk.position
    return True


def _rows_load(
    organization: ContactOwner,
    contact_import: ContactImport,
    rows: Sequence[Row],
    groups: Mapping[str, int],
    problems: list[Problem],
) -> Loaded:
    """Store rows; one that the database itself refuses becomes a problem, the others are stored all the same."""
    if not rows:
        return Loaded()
    known = len(problems)
    try:
        with transaction.atomic():
            return _load(organization, contact_import, rows, groups, problems)
    except (DataError, IntegrityError) as error:
        del problems[known:]
        if len(rows) == 1:
            reason = _("cannot be stored: %(error)s") % {"error": str(error).splitlines()[0][:200]}
            problems.append(_problem(rows[0], reason))
            return Loaded()
    half = len(rows) // 2
    first = _rows_load(organization, contact_import, rows[:half], groups, problems)
    return first + _rows_load(organization, contact_import, rows[half:], groups, problems)


def _load(
    organization: ContactOwner,
    contact_import: ContactImport,
    rows: Sequence[Row],
    groups: Mapping[str, int],
    problems: list[Problem],
) -> Loaded:
    started = contact_import.started_at
    is_update = contact_import.duplicates == ContactImport.Duplicates.UPDATE
    with connection.cursor() as cursor:
        stage(cursor, rows, groups)
        cursor.execute(_KNOWN)
        new = len(rows) - cursor.rowcount
        if new:
            new -= _refused(organization, cursor, rows, new, problems)
            cursor.execute(_CREATE, {"started": started})
            if cursor.rowcount < new:
                cursor.execute(_OVERTAKEN)
        if new < len(rows):
            cursor.execute("ANALYZE contacts_import_row (contact_id)")
            cursor.execute(_COMPARE, {"started": started, "update": is_update})
            cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
            cursor.execute(_UPDATE, {"most_tags": MAX_TAGS})
            cursor.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")
        cursor.execute(_GROUPS, {"everybody": contact_import.group_id})
        cursor.execute(_COUNT)
        loaded = Loaded(*cursor.fetchone())
    _tell()
    return loaded


def _refused(organization: ContactOwner, cursor: Any, rows: Sequence[Row], new: int, problems: list[Problem]) -> int:
    """Take out the new rows that the plan has no room for; how many these are."""
    room = limit_room(organization=organization, what="contacts")
    if room is None or new <= room:
        return 0
    cursor.execute(_REFUSE, {"room": room})
    phones = {phone for (phone,) in cursor.fetchall()}
    reason = _("the plan has no room for another contact")
    problems.extend(_problem(row, reason) for row in rows if row.phone in phones)
    return len(phones)


def _problem(row: Row, reason: str) -> Problem:
    return Problem(row.row, "", reason, cells_kept(row.cells))


def _group_ids(rows: Sequence[Row], known: Mapping[str, int]) -> dict[str, int]:
    """Lower-case name -> id of the groups that the rows name; one that was deleted meanwhile is made again."""
    wanted = {row.group.lower(): row.group for row in rows if row.group is not None}
    for key in known:
        wanted.pop(key, None)
    if not wanted:
        return {}
    named = Group.objects.annotate(key=Lower("name")).filter(key__in=list(wanted))
    found: dict[str, int] = dict(named.values_list("key", "pk"))
    return {key: found[key] if key in found else group_ensure(name=name) for key, name in wanted.items()}


def _problems_store(contact_import: ContactImport, problems: Sequence[Problem]) -> None:
    if not problems:
        return
    table = connection.ops.quote_name(ImportProblem._meta.db_table)
    with (
        connection.cursor() as cursor,
        cursor.copy(f'COPY {table} (contact_import_id, "row", "column", reason, cells) FROM STDIN') as copy,
    ):
        for problem in problems:
            cells = orjson.dumps(problem.cells).decode()
            copy.write_row((contact_import.pk, problem.row, problem.column, problem.reason, cells))


def _tell() -> None:
    """Publish what has happened to the contacts, if an endpoint wants to know: else nothing is read."""
    types = Endpoint.objects.filter(is_active=True).values_list("types", flat=True)
    wanted = {kind for found in types for kind in found} & {"contact.created", "contact.updated"}
    if not wanted:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id, is_new, changed FROM contacts_import_row WHERE is_new OR changed <> '{}'"
            " ORDER BY contact_id"
        )
        found = cursor.fetchall()
    for start in range(0, len(found), _EVENT_BATCH):
        batch = found[start : start + _EVENT_BATCH]
        contacts = Contact.objects.select_related("primary_group").in_bulk([pk for pk, _, _ in batch])
        events = [_event(contacts[pk], is_new, changed) for pk, is_new, changed in batch if pk in contacts]
        events_publish(events=[event for event in events if event.type in wanted])


def _event(contact: Contact, is_new: bool, changed: Sequence[str] | None) -> NewEvent:
    data: dict[str, Any] = {"contact": contact_payload(contact)}
    if is_new:
        return NewEvent("contact.created", data, key=str(contact.uuid))
    return NewEvent("contact.updated", data | {"changed": sorted(changed or ())}, key=str(contact.uuid))
