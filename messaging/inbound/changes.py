"""Edits and retractions: what a customer changed or took back about an earlier message.

The act is stored as a message of its own, and applied to the one it is about, whichever of the two came first. What was
taken back is gone: text, files, and the text of earlier edits.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.db import connection

ACTS: Final = ("edit", "revoke")

# The latest act on each message counts, a retraction before all edits. `parts`: how the ids of
# further messages begin that belong to it.
_APPLY: Final = """
WITH act AS (
    SELECT DISTINCT ON (reply_to) reply_to, contact_id, type, content
    FROM messaging_message
    WHERE channel_id = %(channel)s AND type IN ('edit', 'revoke') AND direction = 'in'
      AND reply_to = ANY(%(targets)s::text[])
    ORDER BY reply_to, type = 'revoke' DESC, sent_at DESC, id DESC),
target AS (
    SELECT act.*, provider_id
    FROM act CROSS JOIN LATERAL (
        SELECT act.reply_to AS provider_id
        UNION SELECT (act.content -> 'revoke' ->> 'parts') || number FROM generate_series(1, 29) AS number) AS named)
UPDATE messaging_message message
SET content = CASE
        WHEN target.type = 'revoke' THEN jsonb_build_object('type', message.type, 'revoked', true)
        ELSE (target.content -> 'edit' -> 'message') - 'context' || '{"edited": true}' END
FROM target
WHERE message.channel_id = %(channel)s AND message.provider_id = target.provider_id AND message.direction = 'in'
  AND message.type NOT IN ('edit', 'revoke') AND message.contact_id = target.contact_id
  AND NOT message.content ? 'revoked'
  AND (target.type = 'revoke' OR jsonb_typeof(target.content -> 'edit' -> 'message') = 'object')
RETURNING message.id, target.type
"""

_FORGET_EDITS: Final = """
UPDATE messaging_message edit SET content = '{"type": "edit", "revoked": true}'
WHERE edit.channel_id = %(channel)s AND edit.type = 'edit' AND edit.direction = 'in'
  AND edit.reply_to = ANY(%(targets)s::text[])
  AND EXISTS (SELECT 1 FROM messaging_message act
              WHERE act.channel_id = %(channel)s AND act.type = 'revoke' AND act.direction = 'in'
                AND act.reply_to = edit.reply_to AND act.contact_id = edit.contact_id)
"""


def changes_apply(*, channel_id: int, targets: Collection[str]) -> list[int]:
    """Apply all known acts on the messages with these provider's ids; returns the ids of those taken back just now."""
    parameters: dict[str, Any] = {"channel": channel_id, "targets": list(targets)}
    with connection.cursor() as cursor:
        cursor.execute(_APPLY, parameters)
        revoked = [message_id for message_id, kind in cursor.fetchall() if kind == "revoke"]
        cursor.execute(_FORGET_EDITS, parameters)
    return revoked
