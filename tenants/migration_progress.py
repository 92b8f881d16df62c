"""How far `migrate` is: a bar with rate and time left on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

_WIDTH: Final = 30
_REDRAW_SECONDS: Final = 0.1
LINE_SECONDS: Final = 10.0


class Stream(Protocol):
    """Django's OutputWrapper, as far as it is needed here."""

    def write(self, msg: str, style_func: Callable[[str], str] | None = None, ending: str | None = None) -> None:
        """Write one line, or with `ending` another end."""

    def isatty(self) -> bool:
        """Whether a person is watching."""

    def flush(self) -> None:
        """Let it be seen now."""


class Progress:
    """Counts outcomes and shows them; `every`: seconds between lines where nobody watches."""

    def __init__(
        self,
        total: int,
        stream: Stream,
        *,
        every: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.done = self.failed = 0
        self._stream, self._clock = stream, clock
        self._terminal = stream.isatty()
        self._every = _REDRAW_SECONDS if self._terminal else every
        self._started = self._shown = clock()

    def add(self, *, failed: bool = False) -> None:
        """One more is finished."""
        self.done += 1
        self.failed += failed
        now = self._clock()
        if now - self._shown >= self._every:
            self._shown = now
            self._show()

    def say(self, text: str) -> None:
        """A line of its own, above the bar."""
        if self._terminal:
            self._stream.write("\r\x1b[K", ending="")
        self._stream.write(text)
        if self._terminal:
            self._show()

    def end(self) -> None:
        """What was done, and how fast."""
        if self._terminal:
            self._stream.write("\r\x1b[K", ending="")
        seconds = self._clock() - self._started
        failed = f", {self.failed} of them failed" if self.failed else ""
        self._stream.write(f"  {self.done} schemas in {seconds:.1f} s ({self._rate():.1f}/s){failed}")

    def line(self) -> str:
        """`[#####-----] 500/1000 50 % 41.2/s 0:12 left, 3 failed`."""
        share = self.done / self.total if self.total else 1.0
        bar = "#" * int(share * _WIDTH)
        rate = self._rate()
        left = _clock_time((self.total - self.done) / rate) if rate else "?"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"[{bar:-<{_WIDTH}}] {self.done}/{self.total} {share * 100:.0f} % {rate:.1f}/s {left} left{failed}"

    def _rate(self) -> float:
        seconds = self._clock() - self._started
        return self.done / seconds if seconds > 0 else 0.0

    def _show(self) -> None:
        if self._terminal:
            self._stream.write(f"\r\x1b[K  {self.line()}", ending="")
            self._stream.flush()
        else:
            self._stream.write(f"  {self.line()}")


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
