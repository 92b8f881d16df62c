"""Rates: the throughput of a number, the pair rate of a number and one recipient, management calls of a WABA."""

from __future__ import annotations

from collections import deque

# One message in 6 s to the same user, with a burst of 45 that is borrowed from the following time.
PAIR_INTERVAL_S = 6.0
PAIR_BURST = 45
PAIRS_KEPT = 100_000


class SlidingWindow:
    """At most `limit` events in any `span` seconds."""

    __slots__ = ("_events", "span")

    def __init__(self, span: float) -> None:
        self.span = span
        self._events: deque[float] = deque()

    def take(self, now: float, limit: int) -> bool:
        """Count one event if it fits."""
        events = self._events
        while events and now - events[0] >= self.span:
            events.popleft()
        if len(events) >= limit:
            return False
        events.append(now)
        return True

    def used(self, now: float) -> int:
        return sum(1 for moment in self._events if now - moment < self.span)


class PairRate:
    """The time up to which each recipient has used its share; a message is refused when that is too far ahead."""

    __slots__ = ("_used_until",)

    def __init__(self) -> None:
        self._used_until: dict[str, float] = {}

    def take(self, recipient: str, now: float) -> bool:
        used = max(self._used_until.get(recipient, 0.0), now)
        if used - now > PAIR_INTERVAL_S * (PAIR_BURST - 1):
            return False
        if len(self._used_until) >= PAIRS_KEPT:
            self._used_until = {key: until for key, until in self._used_until.items() if until > now}
        self._used_until[recipient] = used + PAIR_INTERVAL_S
        return True
