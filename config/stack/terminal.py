"""Prefixed, coloured lines of several processes on one terminal."""

from __future__ import annotations

import threading
from typing import TextIO

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
_LONGEST_LINE = 64 * 1024


class Terminal:
    """Writes whole lines, each with the name of its source; colours only when `stream` is a terminal."""

    def __init__(self, stream: TextIO, names: list[str]) -> None:
        self._stream = stream
        self._width = max((len(name) for name in names), default=0)
        self._colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}
        self._lock = threading.Lock()

    def say(self, name: str, line: str) -> None:
        """One line of source `name`."""
        prefix = f"{name:<{self._width}} |"
        if self._stream.isatty():
            prefix = f"\x1b[{self._colours.get(name, 37)}m{prefix}\x1b[0m"
        self.write(f"{prefix} {line}\n")

    def write(self, text: str) -> None:
        """`text` as it is, never in the middle of another line."""
        with self._lock:
            try:
                self._stream.write(text)
                self._stream.flush()
            except BrokenPipeError:
                # Whoever read our output has gone; the children still have to be stopped in order.
                return


class LineBuffer:
    """Cuts the bytes of a pipe into lines of text; a line longer than 64 KB is cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that `chunk` completes, without their ends."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def flush(self) -> list[str]:
        """The last line when it has no end."""
        rest, self._rest = self._rest, b""
        return [rest.decode(errors="replace")] if rest else []
