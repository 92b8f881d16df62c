"""Exact pacing of one lane: never more than `rate` sends in any second, evenly spread."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

# The window is longer than a second, so that 45 ms of jitter on the way cannot squeeze rate + 1 sends into one: 80 per
# 1.045 s are 76.5 a second.
WINDOW = 1.045
# A late sender may catch up by this much; more would be a burst.
CATCH_UP = 0.1
_BUCKET = 0.05
# Messages per second: the least that a rate error of the provider leaves a channel without a limit of its own.
MINIMUM_LEARNED = 50.0
RECOVERY_SECONDS = 10.0


class Pacer:
    """Lets sends of one lane out one after the other. `rate` is messages per second, 0 for no limit.

    One process owns a lane, so a sliding window in memory is exact; it is handed on through the lane's `state`.
    After a rate error of the provider the speed is halved, and comes back within `RECOVERY_SECONDS`.
    """

    def __init__(self, rate: int, sent: list[list[float]] | None = None) -> None:
        self._rate = float(rate)
        self._limited_by_us = rate > 0
        self._sent: deque[float] = deque()
        self._next = 0.0
        self._gate = asyncio.Lock()
        self._factor = 1.0
        self._slowed_at = 0.0
        self._counted = 0
        self._counting_since = time.time()
        for at, count in sent or []:
            if self._counting_since - at < WINDOW:
                self._sent.extend([at] * int(count))

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

    def _rate_now(self, now: float) -> float:
        if self._factor < 1.0 and now - self._slowed_at > RECOVERY_SECONDS / 4:
            self._factor = min(1.0, self._factor * 2)
            self._slowed_at = now
            if self._factor == 1.0 and not self._limited_by_us:
                self._rate = 0.0
        return self._rate * self._factor

    async def turn(self) -> float:
        """Wait for this send's turn; returns the epoch time at which it leaves. Turns come in the order of the calls.

        The window counts real departures: a stalled loop must not let a burst out when it wakes.
        """
        if not self._rate:
            now = time.time()
            self._count(now)
            return now
        async with self._gate:
            now = time.time()
            rate = self._rate_now(now) or MINIMUM_LEARNED
            at = max(self._next, now - CATCH_UP)
            self._next = at + 1 / rate
            while len(self._sent) >= max(1, int(rate)):
                at = max(at, self._sent.popleft() + WINDOW)
            if at > now:
                await asyncio.sleep(at - now)
            self._sent.append(time.time())
            return self._sent[-1]

    def batch_size(self, batch: int) -> int:
        """How many to claim at once: about half a second's worth, so that an urgent message is claimed soon after."""
        return batch if not self._rate else max(1, min(batch, int(self._rate * self._factor / 2)))

    def _count(self, now: float) -> None:
        if now - self._counting_since > 1.0:
            self._counted, self._counting_since = 0, now
        self._counted += 1

    def state(self) -> list[list[Any]]:
        """The sends of the last second in 50 ms steps (each dated at its step's end), for the lane's next owner."""
        if not self._limited_by_us:
            return []
        horizon = time.time() - WINDOW
        steps: dict[float, int] = {}
        for at in self._sent:
            if at > horizon:
                step = round((int(at / _BUCKET) + 1) * _BUCKET, 3)
                steps[step] = steps.get(step, 0) + 1
        return [[step, count] for step, count in sorted(steps.items())]
