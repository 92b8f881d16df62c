"""Recording changes: one insert, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Model
from psycopg import sql

from audit.actor import Actor, actor_current
from audit.redaction import redacted
from audit.services.sealing import seal_soon
from tenants.connection import connection

_INSERT = """
INSERT INTO {schema}.audit_auditentry
    (action, object_type, object_id, object_label, old_values, new_values, actor_kind, actor_id, actor_label,
     membership_id, address, agent, request_id)
SELECT action, object_type, object_id, object_label, NULLIF(old_values, 'null'), NULLIF(new_values, 'null'),
       %(kind)s, %(id)s, %(label)s, %(membership)s, %(address)s, %(agent)s, %(request)s
FROM json_to_recordset(%(rows)s::json)
     AS row(action text, object_type text, object_id text, object_label text, old_values jsonb, new_values jsonb)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object: `action` such as `contact.updated`, `object_type` such as `contacts.contact`."""

    action: str
    object_type: str
    object_id: object = ""
    object_label: str = ""
    old: Mapping[str, Any] | None = None
    new: Mapping[str, Any] | None = None


def audit_record(
    *,
    action: str,
    subject: Model,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    schema: str | None = None,
) -> None:
    """Record one change of `subject`; secrets in `old` and `new` are blanked by their names.

    `schema`: of the organisation whose audit log it belongs to, when it is not the current one.
    """
    changes_record(
        changes=[Change(action, subject._meta.label_lower, subject.pk, str(subject), old, new)], schema=schema
    )


def changes_record(*, changes: Sequence[Change], schema: str | None = None, actor: Actor | None = None) -> None:
    """Record several changes by one statement. The actor is the current one unless it is given."""
    if not changes:
        return
    schema = schema or connection.schema_name
    actor = actor or actor_current()
    rows = [
        {
            "action": change.action[:60],
            "object_type": change.object_type[:60],
            "object_id": str(change.object_id or "")[:64],
            "object_label": change.object_label.replace("\x00", "")[:200],
            "old_values": redacted(change.old),
            "new_values": redacted(change.new),
        }
        for change in changes
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(_INSERT).format(schema=sql.Identifier(schema)).as_string(None),
            {
                "rows": orjson.dumps(rows).decode(),
                "kind": actor.kind,
                "id": actor.id,
                "label": actor.label[:200],
                "membership": actor.membership_id,
                "address": actor.address[:45],
                "agent": actor.agent.replace("\x00", "")[:300],
                "request": actor.request_id[:128],
            },
        )
    transaction.on_commit(partial(seal_soon, schema))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of `old` and `new` that differ, for an entry that shows only what has changed."""
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return {name: old.get(name) for name in changed}, {name: new.get(name) for name in changed}
