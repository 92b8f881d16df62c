"""What was sent: filters, pages, and everything as a stream for exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from contacts.querysets import PAGE_ROWS_MOST
from messaging.models import Message
from tenants.errors import InvalidInput

BATCH: Final = 2_000
TOTALLED: Final = 100_000
# Clocks of several machines differ, and rows are inserted a little after their uuid was made.
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which outgoing messages: None leaves a filter out. `until` is not included; `address` as it is stored."""

    statuses: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    address: str | None = None
    membership_id: int | None = None
    run_ids: tuple[int, ...] | None = None


def sent_messages(chosen: HistoryFilter) -> QuerySet[Message]:
    """The messages, newest first. Times bound the ids too, so that no table of years is read for one day."""
    rows = Message.objects.filter(direction=Message.Direction.OUT).order_by("-id")
    if chosen.statuses is not None:
        rows = rows.filter(status__in=chosen.statuses)
    if chosen.address is not None:
        rows = rows.filter(address=chosen.address)
    if chosen.membership_id is not None:
        rows = rows.filter(membership_id=chosen.membership_id)
    if chosen.run_ids is not None:
        rows = rows.filter(campaign_run_id__in=chosen.run_ids)
    if chosen.since is not None:
        rows = rows.filter(queued_at__gte=chosen.since, id__gte=_first_id(chosen.since - _SKEW))
    if chosen.until is not None:
        rows = rows.filter(queued_at__lt=chosen.until)
        last = _first_id(chosen.until + _SKEW)
        rows = rows.filter(id__lte=last) if last != _BEYOND else rows
    return rows


def sent_page(chosen: HistoryFilter, *, page: int, per_page: int) -> tuple[list[Message], bool]:
    """One page, and whether there are more. Raises `InvalidInput` for pages too far back: bound the time instead."""
    start = (page - 1) * per_page
    if start + per_page > PAGE_ROWS_MOST:
        text = _("only the first %(most)s messages can be paged through: narrow the dates") % {"most": PAGE_ROWS_MOST}
        raise InvalidInput("page_too_far", text, {"page": text})
    rows = list(sent_messages(chosen).select_related("channel", "contact")[start : start + per_page + 1])
    return rows[:per_page], len(rows) > per_page


@dataclass(frozen=True, slots=True)
class SentTotals:
    """How many were accepted, and how many of them left, arrived and failed."""

    accepted: int
    sent: int
    delivered: int
    failed: int


def sent_totals(chosen: HistoryFilter) -> SentTotals:
    """The sums of the newest `TOTALLED` messages: for one member's day, never for a whole table."""
    newest = sent_messages(chosen).values("pk")[:TOTALLED]
    arrived = (Message.Status.DELIVERED, Message.Status.READ)
    found = Message.objects.filter(pk__in=newest).aggregate(
        accepted=Count("pk"),
        sent=Count("pk", filter=Q(status__in=(Message.Status.SENT, *arrived))),
        delivered=Count("pk", filter=Q(status__in=arrived)),
        failed=Count("pk", filter=Q(status=Message.Status.FAILED)),
    )
    return SentTotals(**found)


def sent_stream(chosen: HistoryFilter) -> Iterator[Message]:
    """All of them, newest first, in memory for one batch only."""
    rows = sent_messages(chosen).select_related("channel", "contact")
    before: int | None = None
    while True:
        batch = list((rows if before is None else rows.filter(id__lt=before))[:BATCH])
        yield from batch
        if len(batch) < BATCH:
            return
        before = batch[-1].pk


_BEYOND: Final = 2**62


def _first_id(moment: datetime) -> int:
    """The id of the first message whose uuid is not older than `moment`: uuids begin with their time (RFC 9562)."""
    milliseconds = max(0, int(moment.astimezone(UTC).timestamp() * 1000))
    bound = UUID(int=(milliseconds << 80) & (2**128 - 1))
    found = Message.objects.filter(uuid__gte=bound).order_by("uuid").values_list("id", flat=True).first()
    return _BEYOND if found is None else found
