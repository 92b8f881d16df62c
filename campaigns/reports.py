"""What became of campaigns: sums of counters, never counts of messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from messaging.models.message import OPEN_STATUSES

_HELD: Final = "held."
SERIES: Final = ("sent", "delivered", "read", "failed")


@dataclass(frozen=True, slots=True)
class Totals:
    """One run's or variant's numbers. `skipped`: reason -> recipients; `open`: messages whose end is not known yet."""

    accepted: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    cancelled: int = 0
    done: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """Messages that are not in a final state."""
        return max(0, self.accepted - self.done)

    @property
    def skipped_total(self) -> int:
        """Recipients that got no message."""
        return sum(self.skipped.values())

    @property
    def recipients(self) -> int:
        """Everybody that was looked at: messages and skipped ones."""
        return self.accepted + self.skipped_total

    @property
    def percent_done(self) -> float:
        """How much of what was queued is in a final state, 0 to 100."""
        return 100 * self.done / self.accepted if self.accepted else 0.0

    def share(self, metric: str) -> float:
        """`metric` as a share of what was sent, 0 to 1."""
        return float(getattr(self, metric)) / self.sent if self.sent else 0.0


def run_totals(*, run_ids: Iterable[int]) -> dict[int, Totals]:
    """run id -> its totals, for many runs with one query."""
    return _totals("run_id", list(run_ids))


def variant_totals(*, run_id: int) -> dict[int, Totals]:
    """variant id -> its totals in this run; 0 stands for no variant."""
    return _totals("variant_id", [run_id])


def _totals(column: str, run_ids: list[int]) -> dict[int, Totals]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {column}, metric, sum(count)::bigint FROM messaging_runcount"  # noqa: S608  one of two names
            " WHERE run_id = ANY(%s) GROUP BY 1, 2",
            [run_ids],
        )
        found: dict[int, dict[str, int]] = {}
        for key, metric, count in cursor.fetchall():
            found.setdefault(key, {})[metric] = count
    return {key: _from_metrics(metrics) for key, metrics in found.items()}


def _from_metrics(metrics: Mapping[str, int]) -> Totals:
    skipped = {name.removeprefix(_HELD): n for name, n in metrics.items() if name.startswith(_HELD) and n}
    plain = {name: n for name, n in metrics.items() if not name.startswith(_HELD)}
    return Totals(**plain, skipped=skipped)


@dataclass(frozen=True, slots=True)
class Chart:
    """Cumulated counts over time: `points` are (moment, {metric: count so far}) at even steps of `step`."""

    points: list[tuple[datetime, dict[str, int]]]
    step: timedelta


def run_chart(*, run_id: int, most: int = 120) -> Chart:
    """How sent, delivered, read and failed grew; at most about `most` points, minutes at the finest."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT min(minute), max(minute) FROM messaging_runcount WHERE run_id = %s AND metric = ANY(%s)""",
            [run_id, list(SERIES)],
        )
        first, last = cursor.fetchone() or (None, None)
        if first is None:
            return Chart([], timedelta(minutes=1))
        minutes = max(1, -(-int((last - first).total_seconds() / 60) // most))
        step = timedelta(minutes=minutes)
        cursor.execute(
            """SELECT floor(extract(epoch FROM minute - %(first)s) / %(step)s)::int, metric, sum(count)::bigint
               FROM messaging_runcount WHERE run_id = %(run)s AND metric = ANY(%(series)s) GROUP BY 1, 2 ORDER BY 1""",
            {"first": first, "step": step.total_seconds(), "run": run_id, "series": list(SERIES)},
        )
        rows = cursor.fetchall()
    return Chart(_cumulated(first, step, rows), step)


def _cumulated(
    first: datetime, step: timedelta, rows: list[tuple[int, str, int]]
) -> list[tuple[datetime, dict[str, int]]]:
    by_place: dict[int, dict[str, int]] = {}
    for place, metric, count in rows:
        by_place.setdefault(place, {})[metric] = count
    total = dict.fromkeys(SERIES, 0)
    points = [(first, dict(total))]
    for place in range(max(by_place) + 1):
        for metric, count in by_place.get(place, {}).items():
            total[metric] += count
        points.append((first + step * (place + 1), dict(total)))
    return points


def failure_reasons(*, run_id: int, most: int = 10, looked_at: int = 10_000) -> list[tuple[str, str, int]]:
    """(code, reason, count) of the run's failures, the most frequent first, among its newest `looked_at` ones."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT error_code, min(error_reason), count(*) FROM (
                   SELECT error_code, error_reason FROM messaging_message
                   WHERE campaign_run_id = %s AND status = 'failed' LIMIT %s) AS failed
               GROUP BY error_code ORDER BY count(*) DESC LIMIT %s""",
            [run_id, looked_at, most],
        )
        return [(code, reason, count) for code, reason, count in cursor.fetchall()]


def run_has_open_messages(*, run_id: int) -> bool:
    """Whether a message of the run is not in a final state: asked of the rows themselves."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM messaging_message WHERE campaign_run_id = %s AND status = ANY(%s))",
            [run_id, list(OPEN_STATUSES)],
        )
        row: Any = cursor.fetchone()
    return bool(row[0])


def last_count_at(*, run_id: int) -> datetime | None:
    """The minute of the newest counter of the run."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(minute) FROM messaging_runcount WHERE run_id = %s", [run_id])
        row: Any = cursor.fetchone()
    return row[0] if row else None
