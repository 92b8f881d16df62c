"""Exact pacing of one lane: never more than `rate` sends in any second at the provider, evenly spread."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

# The window is longer than a second, so that 45 ms of jitter on the way cannot squeeze rate + 1 sends into one: 80 per
# 1.045 s are 76.5 a second.
WINDOW = 1.045
# A late sender may catch up by this much; more would be a burst.
CATCH_UP = 0.1
# An answer this much later than usual means that the request was held up on the way and arrived late.
LATE_BEYOND = 0.05
# While nothing is answered at all, requests may be piling up on the way: departures wait, but not longer than this.
STALL_PATIENCE = 2.0
RECOVERY_SECONDS = 10.0
# Messages per second: the least that a rate error of the provider leaves a channel without a limit of its own.
MINIMUM_LEARNED = 50.0
_BUCKET = 0.05
_LATENCIES = 50


@dataclass(slots=True)
class Departure:
    """One send: when it left, and when it arrived as far as its answer tells (None: not answered yet)."""

    number: int
    left_at: float
    arrived_at: float | None = None


class Pacer:
    """Lets sends of one lane out one after the other. `rate` is messages per second, 0 for no limit.

    One process owns a lane, so a sliding window in memory is exact; it is handed on through the lane's `state`.
    After a rate error of the provider the speed is halved, and comes back within `RECOVERY_SECONDS`.
    """

    def __init__(self, rate: int, sent: list[list[float]] | None = None) -> None:
        self._rate = float(rate)
        self._limited_by_us = rate > 0
        self._window: deque[Departure] = deque()
        self._number = 0
        self._answered = 0
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._usual = 0.0
        self._next = 0.0
        self._gate = asyncio.Lock()
        self._factor = 1.0
        self._slowed_at = 0.0
        self._counted = 0
        self._counting_since = time.time()
        for at, count in sent or []:
            if self._counting_since - at < WINDOW:
                self._window.extend(Departure(0, at, at) for _ in range(int(count)))

    @property
    def is_limited(self) -> bool:
        """Whether a limit is in force: the channel's own, or one learned from the provider's rate errors."""
        return self._rate > 0

    def slow_down(self) -> None:
        """The provider said "too fast": halve the speed. Without a limit of our own, half of the observed rate."""
        now = time.time()
        if not self._rate:
            self._rate = max(MINIMUM_LEARNED, self._counted / max(now - self._counting_since, 0.2))
        self._factor = max(0.125, self._factor / 2)
        self._slowed_at = now

    async def turn(self) -> Departure:
        """Wait for this send's turn. Turns come in the order of the calls; tell `answered` when the answer is in.

        The window counts real departures, because a stalled loop must not let a burst out when it wakes; and arrivals,
        as far as the answers tell, because requests that were held up on the way arrive as a burst.
        """
        if not self._rate:
            now = time.time()
            self._count(now)
            return Departure(0, now)
        async with self._gate:
            now = time.time()
            rate = self._rate_now(now) or MINIMUM_LEARNED
            slot = max(self._next, now - CATCH_UP)
            self._next = slot + 1 / rate
            at = max(slot, await self._window_opens(max(1, int(rate))))
            delay = at - time.time()
            if delay > 0:
                await asyncio.sleep(delay)
            self._number += 1
            departure = Departure(self._number, time.time())
            self._window.append(departure)
            return departure

    def answered(self, departure: Departure) -> None:
        """The answer to this send is in (or will never be)."""
        if not departure.number:
            return
        latency = time.time() - departure.left_at
        is_late = bool(self._latencies) and latency > 1.5 * self._usual + LATE_BEYOND
        departure.arrived_at = departure.left_at + (latency - self._usual if is_late else 0.0)
        self._latencies.append(latency)
        self._usual = statistics.median(self._latencies)
        self._answered = max(self._answered, departure.number)

    def batch_size(self, batch: int) -> int:
        """How many to claim at once: about half a second's worth, so that an urgent message is claimed soon after."""
        return batch if not self._rate else max(1, min(batch, int(self._rate * self._factor / 2)))

    def state(self) -> list[list[Any]]:
        """The sends of the last second in 50 ms steps (each dated at its step's end), for the lane's next owner."""
        if not self._limited_by_us:
            return []
        horizon = time.time() - WINDOW
        steps: dict[float, int] = {}
        for departure in self._window:
            at = departure.arrived_at or departure.left_at
            if at > horizon:
                step = round((int(at / _BUCKET) + 1) * _BUCKET, 3)
                steps[step] = steps.get(step, 0) + 1
        return [[step, count] for step, count in sorted(steps.items())]

    async def _window_opens(self, limit: int) -> float:
        """When fewer than `limit` sends have reached the provider within the window."""
        at = 0.0
        while len(self._window) >= limit:
            oldest = self._window[0]
            if self._is_stalled(oldest):
                await asyncio.sleep(0.01)
                continue
            self._window.popleft()
            at = max(at, (oldest.arrived_at or oldest.left_at) + WINDOW)
        return at

    def _is_stalled(self, oldest: Departure) -> bool:
        """Whether neither `oldest` nor any later send has been answered: then nobody knows when they arrive."""
        if oldest.arrived_at is not None or oldest.number <= self._answered:
            return False
        return time.time() - oldest.left_at < STALL_PATIENCE

    def _rate_now(self, now: float) -> float:
        if self._factor < 1.0 and now - self._slowed_at > RECOVERY_SECONDS / 4:
            self._factor = min(1.0, self._factor * 2)
            self._slowed_at = now
            if self._factor == 1.0 and not self._limited_by_us:
                self._rate = 0.0
        return self._rate * self._factor

    def _count(self, now: float) -> None:
        if now - self._counting_since > 1.0:
            self._counted, self._counting_since = 0, now
        self._counted += 1
