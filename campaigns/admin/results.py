"""Results per recipient: pages by address, and all of it as CSV without holding more than a page."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.http import StreamingHttpResponse

from campaigns.models import Run, SkippedRecipient
from config.reasons import reason_said
from config.spreadsheets import csv_lines
from messaging.models import Message

PAGE: Final = 50
_EXPORT_PAGE: Final = 5_000
SKIPPED: Final = "skipped"
# What an index answers in the order of the address: everybody, those who failed, those who were skipped.
_INDEXED: Final = ("", Message.Status.FAILED, SKIPPED)
_LOOKED_AT: Final = 20_000
_SECONDS: Final = 1.0
_LAST: Final = """
SELECT address FROM messaging_message WHERE campaign_run_id = %(run)s AND address > %(after)s
ORDER BY address OFFSET %(skip)s LIMIT 1
"""
_COLUMNS: Final = ("recipient", "name", "status", "reason", "variant", "queued", "sent", "delivered", "read", "failed")

_SQL: Final = """
SELECT message.address, COALESCE(contact.name, ''), message.status, message.error_reason,
       COALESCE(variant.name, ''), message.queued_at, message.sent_at, message.delivered_at, message.read_at,
       message.failed_at, message.id
FROM messaging_message message
LEFT JOIN contacts_contact contact ON contact.id = message.contact_id
LEFT JOIN campaigns_variant variant ON variant.id = message.campaign_variant_id
WHERE message.campaign_run_id = %(run)s AND message.address > %(after)s
  AND {status}
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
        cursor.execute(_sql(status), {"run": run.pk, "after": after, "status": status, "limit": limit})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [_result(row) for row in rows]


def results_found(*, run: Run, status: str, after: str) -> tuple[list[Result], str]:
    """A page of results, and after which address the next one begins ("" when there is none).

    Recipients in a rare state are looked for piece by piece, no longer than a second: what was found until then is a
    page too, however short, and the next one goes on behind it.
    """
    found: list[Result] = []
    until = time.monotonic() + _SECONDS
    while True:
        if status in _INDEXED:
            rows, last = results_page(run=run, status=status, after=after, limit=PAGE + 1), ""
        else:
            rows, last = _looked_through(run, status, after)
        found += rows
        if len(found) > PAGE:
            return found[:PAGE], found[PAGE - 1].address
        if not last or time.monotonic() > until:
            return found, last
        after = last


def _sql(status: str, more: str = "") -> str:
    """`failed` stands in the statement itself, so that its partial index is seen to fit whatever the parameters are."""
    condition = {"": "true", Message.Status.FAILED: "message.status = 'failed'"}.get(
        status, "message.status = %(status)s"
    )
    return _SQL.replace("{status}", f"{condition} {more}")


def _looked_through(run: Run, status: str, after: str) -> tuple[list[Result], str]:
    """Results with the status among the next `_LOOKED_AT` of the run, and the last address of these."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST, {"run": run.pk, "after": after, "skip": _LOOKED_AT - 1})
        row = cursor.fetchone()
        last = row[0] if row else ""
        values = {"run": run.pk, "after": after, "status": status, "limit": PAGE + 1, "last": last}
        cursor.execute(_sql(status, "AND (%(last)s = '' OR message.address <= %(last)s)"), values)
        return [_result(row) for row in cursor.fetchall()], last


def _result(row: tuple[Any, ...]) -> Result:
    return Result(row[0], row[1], row[2], reason_said(row[3]), row[4], row[5:10], row[10])


def _skipped(run: Run, after: str, limit: int) -> list[Result]:
    labels = dict(SkippedRecipient.Reason.choices)
    rows = SkippedRecipient.objects.filter(run_id=run.pk, address__gt=after).order_by("address")[:limit]
    return [
        Result(
            row.address,
            "",
            SKIPPED,
            f"{labels.get(row.reason, row.reason)} {reason_said(row.detail)}".strip(),
            "",
            (),
            None,
        )
        for row in rows
    ]


def results_csv(run: Run) -> StreamingHttpResponse:
    """All results of a run as CSV, messages first, then those who were skipped."""
    # Said now: when the lines are written, the reader's language may be somebody else's.
    statuses = {value: str(label) for value, label in Message.Status.choices}
    response = StreamingHttpResponse(csv_lines(_COLUMNS, _rows(run, statuses)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="campaign-{run.campaign_id}-run-{run.pk}.csv"'
    return response


def _rows(run: Run, statuses: Mapping[str, str]) -> Iterator[list[str]]:
    for kind in ("", SKIPPED):
        after = ""
        while page := results_page(run=run, status=kind, after=after, limit=_EXPORT_PAGE):
            for row in page:
                times = [moment.isoformat() if moment else "" for moment in row.times]
                status = statuses.get(row.status, row.status)
                yield [row.address, row.name, status, row.reason, row.variant, *times]
            after = page[-1].address
