"""Results per recipient: pages by address, and all of it as CSV without holding more than a page."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.http import StreamingHttpResponse

from campaigns.models import Run, SkippedRecipient
from messaging.models import Message

PAGE: Final = 50
_EXPORT_PAGE: Final = 5_000
SKIPPED: Final = "skipped"
_COLUMNS: Final = ("recipient", "name", "status", "reason", "variant", "queued", "sent", "delivered", "read", "failed")

_SQL: Final = """
SELECT message.address, COALESCE(contact.name, ''), message.status, message.error_reason,
       COALESCE(variant.name, ''), message.queued_at, message.sent_at, message.delivered_at, message.read_at,
       message.failed_at, message.id
FROM messaging_message message
LEFT JOIN contacts_contact contact ON contact.id = message.contact_id
LEFT JOIN campaigns_variant variant ON variant.id = message.campaign_variant_id
WHERE message.campaign_run_id = %(run)s AND message.address > %(after)s
  AND (%(status)s = '' OR message.status = %(status)s)
ORDER BY message.address LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One recipient of a run and what became of it. `message_id` is None for those who were skipped."""

    address: str
    name: str
    status: str
    reason: str
    variant: str
    times: tuple[Any, ...]
    message_id: int | None


def results_page(*, run: Run, status: str, after: str, limit: int = PAGE) -> list[Result]:
    """Results in the order of the address, after `after`. `status`: of messages, "" for all, or `skipped`."""
    if status == SKIPPED:
        return _skipped(run, after, limit)
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"run": run.pk, "after": after, "status": status, "limit": limit})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [Result(row[0], row[1], row[2], row[3], row[4], row[5:10], row[10]) for row in rows]


def _skipped(run: Run, after: str, limit: int) -> list[Result]:
    labels = dict(SkippedRecipient.Reason.choices)
    rows = SkippedRecipient.objects.filter(run_id=run.pk, address__gt=after).order_by("address")[:limit]
    return [
        Result(row.address, "", SKIPPED, f"{labels.get(row.reason, row.reason)} {row.detail}".strip(), "", (), None)
        for row in rows
    ]


def results_csv(run: Run) -> StreamingHttpResponse:
    """All results of a run as CSV, messages first, then those who were skipped."""
    response = StreamingHttpResponse(_lines(run), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="campaign-{run.campaign_id}-run-{run.pk}.csv"'
    return response


class _Echo:
    """A file that hands every line back instead of keeping it."""

    def write(self, value: str) -> str:
        return value


def _lines(run: Run) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(_COLUMNS)
    statuses = dict(Message.Status.choices)
    for kind in ("", SKIPPED):
        after = ""
        while page := results_page(run=run, status=kind, after=after, limit=_EXPORT_PAGE):
            for row in page:
                times = [moment.isoformat() if moment else "" for moment in row.times]
                status = str(statuses.get(row.status, row.status))
                yield writer.writerow(
                    [_plain(row.address), _plain(row.name), status, _plain(row.reason), _plain(row.variant), *times]
                )
            after = page[-1].address


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
