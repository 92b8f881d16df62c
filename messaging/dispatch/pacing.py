"""Exact pacing of one lane: never more than `rate` sends in any second at the provider, evenly spread."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from dataclasses import dataclass
from typing import Any, Self

# The window is longer than a second, because the quickest answer known may not be the quickest possible: 80 per 1.025 s
# are 78 a second.
WINDOW = 1.025
# Answers that take longer than the window do not tell of arrivals in time. Departures count then, and for longer, as
# nobody knows how long each of them was on its way: 73 a second.
BLIND_WINDOW = 1.1
# A late sender may catch up by this much; more would be a burst.
CATCH_UP = 0.1
RECOVERY_SECONDS = 10.0
# Messages per second: the least that a rate error of the provider leaves a channel without a limit of its own.
MINIMUM_LEARNED = 50.0
_BUCKET = 0.05
# While nothing but answers can open the window, it is looked at this often.
_LOOK = 0.01
# The quickest answer of the last 10 to 20 seconds counts, and none before there were so many: the first ones of a
# process take longer.
_QUICKEST_SECONDS = 10.0
_ENOUGH = 50


@dataclass(slots=True, eq=False)
class Departure:
    """One send that was let out at `left_at`.

    Whoever sends notes what became of it: `was_taken` by the provider, or `never_left` after all.
    """

    left_at: float
    is_paced: bool = True
    was_taken: bool = False
    never_left: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """What the next owner of a lane must know.

    `counted`: until when earlier sends count, as (moment, how many) in steps of 50 ms. `quickest`: the seconds of
    the quickest answer, None while that is not known.
    """

    counted: tuple[tuple[float, int], ...] = ()
    quickest: float | None = None

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """From a lane's `state`."""
        pace = state.get("pace", {})
        return cls(tuple((until, count) for until, count in pace.get("counted", ())), pace.get("quickest"))

    def state(self) -> dict[str, Any]:
        """For a lane's `state`."""
        return {"pace": {"counted": self.counted, "quickest": self.quickest}}


class Pacer:
    """Lets sends of one lane out one after the other. `rate` is messages per second, 0 for no limit.

    One process owns a lane, so a sliding window in memory is exact; `pace` hands it on to the next owner. The window
    counts arrivals at the provider and not departures, because requests that are held up on their way, in this machine
    or in a network, arrive as a burst. An arrival was no later than the answer, less what the quickest exchange takes
    after it; whoever is not answered yet may still have to arrive. After a rate error of the provider the speed is
    halved, and comes back within `RECOVERY_SECONDS`.
    """

    def __init__(self, rate: int, before: Pace | None = None) -> None:
        before = before or Pace()
        self._own_rate = rate
        self._rate = float(rate)
        # When those that are answered leave the window (a heap), and those that are not, in the order of departure.
        self._counted_until: list[float] = []
        self._under_way: dict[Departure, None] = {}
        # The quickest answer of this period, and of the one before it.
        self._quickest_lately = self._quickest_before = math.inf
        self._answers_since = time.time()
        self._answers = 0
        self._quickest = before.quickest
        self._next = 0.0
        self._gate = asyncio.Lock()
        self._factor = 1.0
        self._slowed_at = 0.0
        self._counted = 0
        self._counting_since = time.time()
        for until, count in before.counted:
            for _ in range(count):
                self._count_until(until)

    @property
    def is_limited(self) -> bool:
        """Whether a limit is in force: the channel's own, or one learned from the provider's rate errors."""
        return self._rate > 0

    def set_rate(self, rate: int) -> None:
        """The channel's own limit, which staff may change while the lane is pumped."""
        if rate != self._own_rate:
            self._own_rate, self._rate = rate, float(rate)

    def slow_down(self) -> None:
        """The provider said "too fast": halve the speed. Without a limit of our own, half of the observed rate."""
        now = time.time()
        if not self._rate:
            self._rate = max(MINIMUM_LEARNED, self._counted / max(now - self._counting_since, 0.2))
        self._factor = max(0.125, self._factor / 2)
        self._slowed_at = now

    async def turn(self) -> Departure:
        """Wait for this send's turn. Turns come in the order of the calls; tell `ended` when it is over."""
        if not self._rate:
            now = time.time()
            self._count(now)
            return Departure(now, is_paced=False)
        async with self._gate:
            now = time.time()
            rate = self._rate_now(now) or MINIMUM_LEARNED
            slot = max(self._next, now - CATCH_UP)
            self._next = slot + 1 / rate
            if slot > now:
                await asyncio.sleep(slot - now)
            departure = Departure(await self._window_opens(max(1, int(rate))))
            self._under_way[departure] = None
            return departure

    def ended(self, departure: Departure) -> None:
        """The send is answered, or its answer is lost, or it never left after all."""
        if not departure.is_paced:
            return
        self._under_way.pop(departure, None)
        if departure.never_left:
            return
        now = time.time()
        # As late as it may have arrived: just now, less what the rest of the quickest exchange took.
        arrived_at = max(departure.left_at, now - (self._quickest or 0.0))
        self._count_until(arrived_at + WINDOW)
        # Refusals are quicker, and tell nothing of the others.
        if departure.was_taken:
            self._note_answer(now - departure.left_at, now)

    def batch_size(self, batch: int) -> int:
        """How many to claim at once: about half a second's worth, so that an urgent message is claimed soon after."""
        return batch if not self._rate else max(1, min(batch, int(self._rate * self._factor / 2)))

    def pace(self) -> Pace:
        """What the lane's next owner must know."""
        if not self._own_rate:
            return Pace()
        now = time.time()
        steps: dict[float, int] = {}
        for until in (*self._counted_until, *(now + WINDOW for _ in self._under_way)):
            if until > now:
                step = round((int(until / _BUCKET) + 1) * _BUCKET, 3)
                steps[step] = steps.get(step, 0) + 1
        return Pace(tuple(sorted(steps.items())), self._quickest)

    async def _window_opens(self, limit: int) -> float:
        """Wait until fewer than `limit` sends are in the window; returns the moment."""
        while True:
            now = time.time()
            while self._counted_until and self._counted_until[0] <= now:
                heapq.heappop(self._counted_until)
            if self._quickest is not None and self._quickest >= WINDOW:
                while self._under_way and (oldest := next(iter(self._under_way))).left_at + BLIND_WINDOW <= now:
                    del self._under_way[oldest]
            if len(self._counted_until) + len(self._under_way) < limit:
                return now
            wakes_at = self._counted_until[0] if self._counted_until else now + _LOOK
            await asyncio.sleep(wakes_at - now)

    def _note_answer(self, latency: float, now: float) -> None:
        if now - self._answers_since > _QUICKEST_SECONDS:
            self._quickest_before, self._quickest_lately, self._answers_since = self._quickest_lately, latency, now
        self._quickest_lately = min(self._quickest_lately, latency)
        self._answers += 1
        if self._answers >= _ENOUGH:
            self._quickest = min(self._quickest_lately, self._quickest_before)

    def _count_until(self, moment: float) -> None:
        if moment > time.time():
            heapq.heappush(self._counted_until, moment)

    def _rate_now(self, now: float) -> float:
        if self._factor < 1.0 and now - self._slowed_at > RECOVERY_SECONDS / 4:
            self._factor = min(1.0, self._factor * 2)
            self._slowed_at = now
            if self._factor == 1.0:
                self._rate = float(self._own_rate)
        return self._rate * self._factor

    def _count(self, now: float) -> None:
        if now - self._counting_since > 1.0:
            self._counted, self._counting_since = 0, now
        self._counted += 1
