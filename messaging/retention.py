"""What an organisation keeps of its messages, and for how long (see `settings.RETENTION_DAYS`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from messaging.content import CONTENT_REMOVED
from messaging.media.removal import FilesRule
from messaging.models import ChannelCount, IdempotencyRecord, Message, SendAttempt
from tenants.services.retention_rules import BATCH, Position, RowsRule, Step, retention_register

# A message that may still leave, or whose fate is not known, is never touched. `queued_at` is when it was last queued.
_OPEN: Final = "status IN ('queued', 'scheduled', 'processing', 'in_doubt')"

# Rows of whole days lie at midnight (UTC); only the others are taken. They come back as unsquashed rows of their day,
# so that the regular squash adds them to what is there already.
_DAYS: Final = """
WITH picked AS MATERIALIZED (
    SELECT hours.id FROM messaging_channel channel
    CROSS JOIN LATERAL (
        SELECT id FROM messaging_channelcount
        WHERE channel_id = channel.id AND hour >= %(since)s AND hour < %(before)s
          AND hour <> date_trunc('day', hour, 'UTC')
        LIMIT %(limit)s) AS hours
    LIMIT %(limit)s),
taken AS (
    DELETE FROM messaging_channelcount WHERE id IN (
        SELECT id FROM messaging_channelcount WHERE id IN (SELECT id FROM picked) FOR UPDATE SKIP LOCKED)
    RETURNING channel_id, hour, metric, count),
added AS (
    INSERT INTO messaging_channelcount (channel_id, hour, metric, count)
    SELECT channel_id, date_trunc('day', hour, 'UTC'), metric, sum(count) FROM taken GROUP BY 1, 2, 3)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM picked)
"""
_HOURS_LEFT: Final = """
SELECT count(*), min(hour) FROM (
    SELECT hours.hour FROM messaging_channel channel
    CROSS JOIN LATERAL (
        SELECT hour FROM messaging_channelcount
        WHERE channel_id = channel.id AND hour >= %(since)s AND hour < %(before)s
          AND hour <> date_trunc('day', hour, 'UTC')
        ORDER BY hour LIMIT %(limit)s) AS hours
    LIMIT %(limit)s) AS found
"""
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CountersRule:
    """Hourly counters become daily ones (UTC days): every sum over whole days stays the same, for ever."""

    kind: str
    label: str | Promise
    text: str | Promise
    order: int
    # A plan's month is counted in the organisation's time zone, which needs the hours of this month and the last one.
    floor_days: int = 62
    is_public: bool = False
    table: str = ChannelCount._meta.db_table

    def step(self, *, before: datetime, position: Position, limit: int | None = None) -> Step:
        most = limit or BATCH
        day = before.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        taken, picked = self._row(_DAYS, since=_since(position), before=day, limit=most)
        if picked == most:
            return Step(taken, position, False)
        # Rows that somebody else held are met again from the same day on.
        return Step(taken, {"day": day.isoformat()} if taken == picked else position, True)

    def ripe(self, *, before: datetime, position: Position, most: int) -> int:
        return int(self._row(_HOURS_LEFT, since=_since(position), before=before, limit=most)[0])

    def oldest(self, *, position: Position) -> datetime | None:
        # One per channel: the oldest of all is among them.
        found: datetime | None = self._row(
            _HOURS_LEFT.replace("LIMIT %(limit)s) AS hours", "LIMIT 1) AS hours"),
            since=_since(position),
            before=_END,
            limit=BATCH,
        )[1]
        return found

    @staticmethod
    def _row(sql: str, **parameters: Any) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            row: tuple[Any, ...] = cursor.fetchone()
            return row


def _since(position: Position) -> datetime:
    return datetime.fromisoformat(position["day"]) if "day" in position else _BEGINNING


retention_register(
    RowsRule(
        kind="message_bodies",
        label=_("texts of messages"),
        text=_("What messages say. Who, when and what became of it stays."),
        order=10,
        model=Message,
        age="queued_at",
        key="uuid",
        keep=_OPEN,
        blank={"content": f"jsonb_build_object('type', type, '{CONTENT_REMOVED}', true)"},
        blanked=f"content ? '{CONTENT_REMOVED}'",
    ),
    RowsRule(
        kind="idempotency",
        label=_("answers kept for repeated requests"),
        text=_("They count for 24 hours."),
        order=20,
        model=IdempotencyRecord,
        age="created_at",
        key="created_at",
    ),
    RowsRule(
        kind="send_attempts",
        label=_("attempts to send"),
        text=_("Why a message was tried again or failed; the message keeps its last reason."),
        order=30,
        model=SendAttempt,
        age="at",
        key="id",
    ),
    FilesRule(
        kind="files",
        label=_("files of messages"),
        text=_("What customers have sent: pictures, recordings, documents. Files uploaded here stay."),
        order=35,
    ),
    RowsRule(
        kind="messages",
        label=_("messages"),
        text=_("The whole message with its attempts. Figures of past days stay."),
        order=40,
        model=Message,
        age="queued_at",
        key="uuid",
        keep=_OPEN,
        # Providers report on a message for up to thirty days.
        floor_days=30,
    ),
    CountersRule(
        kind="counters",
        label=_("figures by the hour"),
        text=_("Older ones are added up by the day and stay."),
        order=50,
    ),
    RowsRule(
        kind="history",
        label=_("history of changes"),
        text=_("Who changed what in the admin."),
        order=60,
        model=LogEntry,
        age="action_time",
        key="id",
        floor_days=30,
    ),
)
