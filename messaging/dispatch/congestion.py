"""How many requests one lane may have under way: as many as the process can handle without keeping other lanes waiting.

All lanes of a process share one event loop. A lane with thousands of messages fills it with as many answers as it has
requests under way, and a lane with one message waits behind them at every step. So while several lanes are at work the
loop's own delay is measured, and how long statements wait for the database: when they grow, large lanes get fewer
requests under way, and more again when they are short. A processor that is the limit sends no more with four hundred
under way than with forty; a slow provider leaves both idle, and then nothing is taken away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

# The loop's delay, in seconds, that is aimed for: a lane with one message passes the loop about ten times.
TARGET: Final = 0.03
# A lane with one message waits for the database twice, at its beginning and its end.
STEPS_PER_STATEMENT: Final = 5
# A lane keeps this many whatever the delay: it goes on while others have their turn.
LEAST: Final = 8
_LOOK_EVERY: Final = 0.05
_LESS: Final = 0.7
_MORE: Final = 1.1


class Congestion:
    """The limit in force. `most` is the configured number of requests under way, DISPATCH_CONCURRENCY."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)

    @property
    def limit(self) -> int:
        """Requests under way that one lane may have now."""
        return int(self._limit)

    def note(self, delay: float) -> None:
        """The loop came back to us `delay` seconds late: quickly less, slowly more."""
        if delay > TARGET:
            self._limit = max(min(LEAST, self._most), self._limit * _LESS)
        elif delay < TARGET / 2:
            self._limit = min(self._most, self._limit * _MORE)

    async def watch(self, is_shared: Callable[[], bool], database_delay: Callable[[], float]) -> None:
        """Measure for as long as the loop runs. A lane that is alone (`is_shared` says no) is in nobody's way.

        `database_delay`: for how many seconds statements wait now.
        """
        while True:
            due = time.monotonic() + _LOOK_EVERY
            await asyncio.sleep(_LOOK_EVERY)
            delay = max(time.monotonic() - due, database_delay() / STEPS_PER_STATEMENT)
            self.note(delay if is_shared() else 0.0)
