"""The ledger of accepted sends, which fault tests count: who was accepted, once or more often."""

from __future__ import annotations

from array import array

DUPLICATES_KEPT = 10_000


class Ledger:
    """Every accepted send, in a few dozen bytes each.

    The caller's id (`biz_opaque_callback_data`) is kept as its 64-bit hash: for a million ids the chance that two
    of them share one is 3 in 100 million. Beyond `limit` sends only the totals go on; `complete` then says false.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.reset()

    def reset(self) -> None:
        self._phones = array("Q")
        self._times = array("d")
        self._numbers = array("L")
        self._next = array("q")
        self._first: dict[int, int] = {}
        self._number_ids: list[str] = []
        self._number_index: dict[str, int] = {}
        self._accepted: list[int] = []
        self.accepted = 0
        self.with_opaque = 0
        self.duplicates = 0
        self.duplicate_ids: dict[str, int] = {}
        self.rejected: dict[int, int] = {}

    def accept(self, number_id: str, phone: str, opaque: str | None, at: float) -> None:
        """Record a send that was accepted at `at` (epoch seconds) for `phone` (digits, or empty for a BSUID)."""
        number = self._number_index.get(number_id)
        if number is None:
            number = self._number_index[number_id] = len(self._number_ids)
            self._number_ids.append(number_id)
            self._accepted.append(0)
        self.accepted += 1
        self._accepted[number] += 1
        if opaque is not None:
            self.with_opaque += 1
        row = len(self._phones)
        if row >= self._limit:
            return
        self._phones.append(int(phone) if phone else 0)
        self._times.append(at)
        self._numbers.append(number)
        self._next.append(-1)
        if opaque is not None:
            self._link(row, hash((number, opaque)), opaque)

    def _link(self, row: int, key: int, opaque: str) -> None:
        first = self._first.setdefault(key, row)
        if first == row:
            return
        self.duplicates += 1
        if opaque in self.duplicate_ids or len(self.duplicate_ids) < DUPLICATES_KEPT:
            self.duplicate_ids[opaque] = self.duplicate_ids.get(opaque, 1) + 1
        while self._next[first] >= 0:
            first = self._next[first]
        self._next[first] = row

    def reject(self, code: int) -> None:
        """Count a send that was refused with an error code."""
        self.rejected[code] = self.rejected.get(code, 0) + 1

    def find(self, opaque: str, number_id: str | None) -> list[dict[str, object]]:
        """All accepted sends with this opaque id, oldest first."""
        found: list[dict[str, object]] = []
        for number, name in enumerate(self._number_ids):
            if number_id is not None and name != number_id:
                continue
            row = self._first.get(hash((number, opaque)), -1)
            while row >= 0:
                found.append({"opaque": opaque, **self._row(row)})
                row = self._next[row]
        return sorted(found, key=lambda item: str(item["at"]))

    def latest(self, number_id: str | None, limit: int) -> list[dict[str, object]]:
        """The latest accepted sends, newest first."""
        rows: list[dict[str, object]] = []
        for row in range(len(self._phones) - 1, -1, -1):
            if len(rows) >= limit:
                break
            if number_id is None or self._number_ids[self._numbers[row]] == number_id:
                rows.append(self._row(row))
        return rows

    def _row(self, row: int) -> dict[str, object]:
        phone = self._phones[row]
        return {
            "phone_number_id": self._number_ids[self._numbers[row]],
            "to": str(phone) if phone else None,
            "at": round(self._times[row], 6),
        }

    def summary(self) -> dict[str, object]:
        """Counts: sends accepted, distinct opaque ids, and sends beyond the first for an id (`duplicates`)."""
        return {
            "accepted": self.accepted,
            "with_opaque": self.with_opaque,
            "distinct_opaque": len(self._first),
            "duplicates": self.duplicates,
            "duplicate_ids": dict(list(self.duplicate_ids.items())[:100]),
            "rejected": {str(code): count for code, count in sorted(self.rejected.items())},
            "by_number": dict(zip(self._number_ids, self._accepted, strict=True)),
            "first_at": self._times[0] if self._times else None,
            "last_at": self._times[-1] if self._times else None,
            "complete": self.accepted <= self._limit,
        }
