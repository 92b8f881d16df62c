"""Finding or creating many contacts at once, by phone number."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from tenants.fields import uuid7

_UPSERT = """
WITH given AS (SELECT * FROM unnest(%(phones)s::text[], %(uuids)s::uuid[]) AS given(phone, uuid)),
made AS (
    INSERT INTO contacts_contact (uuid, name, phone, email, created_at)
    SELECT uuid, '', phone, '', now() FROM given
    WHERE NOT EXISTS (SELECT 1 FROM contacts_contact WHERE phone = given.phone)
    ON CONFLICT (phone) DO NOTHING RETURNING id, phone)
INSERT INTO contacts_identity (contact_id, kind, value, created_at)
SELECT id, 'phone', phone, now() FROM made ON CONFLICT (kind, value) DO NOTHING
"""


def contacts_save(*, phones: Sequence[str]) -> dict[str, int]:
    """Phone (E.164 digits) -> contact id for every one of `phones`; the missing contacts are created.

    Two statements whatever the number of phones; safe when several processes save the same numbers. Runs in the current
    schema.
    """
    distinct = sorted(set(phones))
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, {"phones": distinct, "uuids": [uuid7() for _ in distinct]})
        cursor.execute("SELECT phone, id FROM contacts_contact WHERE phone = ANY(%s)", [distinct])
        return dict(cursor.fetchall())
