"""How far a message has come: the one table of the status order, and what several reports on it add up to.

Every report only adds knowledge, so reports may come in any order, twice, and several at once: the result is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from messaging.drivers.base import StatusUpdate

# A failure counts only as long as nobody has seen the message; `delivered` after `failed` comes from another device.
RANKS: Final[Mapping[str, int]] = {
    "queued": 0,
    "scheduled": 0,
    "cancelled": 0,
    "processing": 1,
    "in_doubt": 1,
    "sent": 2,
    "failed": 3,
    "delivered": 4,
    "read": 5,
}
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Progress:
    """The part of a message that reports change. `queued_at` never changes and is the earliest time shown."""

    status: str
    queued_at: datetime
    provider_id: str | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None
    error_code: str = ""
    error_reason: str = ""

    @property
    def rank(self) -> int:
        """Its place in the order. A failure that only we decided, without the provider, gives way to every report."""
        return 1 if self.status == "failed" and self.provider_id is None else RANKS[self.status]


def progress_after(before: Progress, reports: Sequence[StatusUpdate]) -> Progress:
    """`before` with the reports added; equal to `before` when they say nothing new.

    Each report proves that the provider had taken the message: `sent_at` is set by all of them. A step that was left
    out (read without delivered) happened at the time of the next one at the latest. Times are the earliest reported.
    """
    best = max(reports, key=lambda report: RANKS[report.status])
    status = best.status if RANKS[best.status] > before.rank else before.status
    code, reason, failed_at = _failure(before, reports) if status == "failed" else ("", "", None)
    if status == before.status != "failed":
        code, reason = before.error_code, before.error_reason
    return Progress(
        status=status,
        queued_at=before.queued_at,
        provider_id=before.provider_id or min(report.provider_id for report in reports),
        sent_at=_earliest(before, before.sent_at, reports, 0),
        delivered_at=_earliest(before, before.delivered_at, reports, RANKS["delivered"]),
        read_at=_earliest(before, before.read_at, reports, RANKS["read"]),
        failed_at=failed_at,
        error_code=code,
        error_reason=reason,
    )


def transitions(before: Progress, after: Progress) -> Counter[str]:
    """What the step adds to the channel's counters: each milestone once, and a failure that was none taken back."""
    counts: Counter[str] = Counter()
    for metric, old, new in (
        ("sent", before.sent_at, after.sent_at),
        ("delivered", before.delivered_at, after.delivered_at),
        ("read", before.read_at, after.read_at),
    ):
        if old is None and new is not None:
            counts[metric] += 1
    for status in ("failed", "cancelled"):
        change = (after.status == status) - (before.status == status)
        if change:
            counts[status] += change
    return counts


def is_new_failure(before: Progress, after: Progress) -> bool:
    """Whether the provider's failure is news: not one that it had reported before."""
    return after.status == "failed" and (before.status != "failed" or before.provider_id is None)


def _earliest(before: Progress, known: datetime | None, reports: Sequence[StatusUpdate], rank: int) -> datetime | None:
    """The earliest time of reports of at least `rank`; never before the message was queued: clocks differ."""
    times = [max(report.at, before.queued_at) for report in reports if RANKS[report.status] >= rank]
    return min([*times, known] if known is not None else times, default=None)


def _failure(before: Progress, reports: Sequence[StatusUpdate]) -> tuple[str, str, datetime]:
    """(code, reason, time) of the earliest failure; the code decides between failures of one second."""
    failures = [
        (
            max(report.at, before.queued_at),
            report.error.code if report.error else _UNKNOWN,
            report.error.reason if report.error else "The provider did not deliver the message.",
        )
        for report in reports
        if report.status == "failed"
    ]
    if before.status == "failed" and before.provider_id is not None:
        failures.append((before.failed_at or before.queued_at, before.error_code, before.error_reason))
    at, code, reason = min(failures)
    return code[:40], reason[:500], at
