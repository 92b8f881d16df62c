"""One clock for everything that happens later: a timing wheel with slots of 20 ms, turned by a single task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

SLOT_S = 0.02


class Clock:
    """Calls actions at their time. Adding one costs a list append, whatever the number that waits."""

    def __init__(self, after_turn: Callable[[], None], on_error: Callable[[Exception], None]) -> None:
        self._after_turn = after_turn
        self._on_error = on_error
        self._slots: dict[int, list[tuple[Callable[..., None], tuple[object, ...]]]] = {}
        self._turned = self._slot_of(time.monotonic())
        self.waiting = 0

    def reset(self) -> None:
        self._slots.clear()
        self.waiting = 0

    @staticmethod
    def _slot_of(moment: float) -> int:
        return int(moment / SLOT_S)

    def after(self, seconds: float, action: Callable[..., None], *arguments: object) -> None:
        """Call `action(*arguments)` in `seconds`, at the earliest at the next turn."""
        slot = max(self._slot_of(time.monotonic() + seconds), self._turned + 1)
        self._slots.setdefault(slot, []).append((action, arguments))
        self.waiting += 1

    def turn(self) -> None:
        """Run everything that is due."""
        now = self._slot_of(time.monotonic())
        if now - self._turned > 1000:
            due = sorted(slot for slot in self._slots if slot <= now)
        else:
            due = [slot for slot in range(self._turned + 1, now + 1) if slot in self._slots]
        self._turned = now
        for slot in due:
            entries = self._slots.pop(slot)
            self.waiting -= len(entries)
            for action, arguments in entries:
                try:
                    action(*arguments)
                except Exception as error:  # one bad entry must not stop the clock for all
                    self._on_error(error)
        self._after_turn()

    async def run(self) -> None:
        """Turn until cancelled."""
        while True:
            self.turn()
            await asyncio.sleep(SLOT_S)
