"""An event loop whose time is played: hours pass in moments, and always in the same way."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

# The moment at which a play begins; any will do.
START = 1_000.0


class Clock:
    """The time of a play. `wakes` tells when somebody who wanted to wake up at a moment really does."""

    def __init__(self, wakes: Callable[[float], float] | None = None) -> None:
        self.now = START
        self._wakes = wakes or (lambda moment: moment)

    def time(self) -> float:
        """Like `time.time`."""
        return self.now

    def sleep_until(self, moment: float) -> None:
        """Nothing happens before."""
        self.now = max(self.now, self._wakes(moment))


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("Everybody waits for something that does not happen")
        if timeout > 0:
            self._clock.sleep_until(self._clock.now + timeout)
        return super().select(0)


T = TypeVar("T")


def played(play: Coroutine[Any, Any, T], clock: Clock) -> T:
    """Run it in played time."""
    loop = asyncio.SelectorEventLoop(_Selector(clock))
    loop.time = clock.time  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(play)
    finally:
        loop.close()
