"""Runs several processes as one program: their output on one terminal, restarts, one signal stops all.

Standard library only. A single loop in the calling thread starts and watches the children, because on Linux a child is
bound to the life of the thread that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO

from config.stack import processes
from config.stack.paths import private_write
from config.stack.terminal import LineBuffer, Terminal

_TICK_SECONDS = 0.5
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
# A child that ran this long had a working start: its next restart is quick again.
_HEALTHY_SECONDS = 30.0
_SELF = "griot"


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep running: `env` is added to the supervisor's."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Slot:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    lines: LineBuffer = field(default_factory=LineBuffer)
    started_at: float = 0.0
    delay: float = _FIRST_DELAY
    due_at: float | None = 0.0


class Supervisor:
    """Keeps `children` running until SIGINT, SIGTERM, SIGHUP or `stop()`.

    `grace`: seconds between SIGTERM and SIGKILL. `on_tick` is called twice a second and returns lines to print.
    `record`: a file that names the running children, so that the next start can stop what a SIGKILL left behind.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        cwd: Path,
        env: Mapping[str, str],
        output: TextIO | None = None,
        grace: float = 15.0,
        on_tick: Callable[[], list[str]] | None = None,
        record: Path | None = None,
    ) -> None:
        self._slots = [_Slot(child) for child in children]
        self._cwd = cwd
        self._env = dict(env)
        self._grace = grace
        self._on_tick = on_tick
        self._record = record
        self._stopping = False
        self._interrupts = 0
        self._selector = selectors.DefaultSelector()
        self._wake_receive, self._wake_send = socket.socketpair()
        self._wake_receive.setblocking(False)
        self._wake_send.setblocking(False)
        self.terminal = Terminal(output or sys.stdout, [*(child.name for child in children), _SELF])

    def run(self) -> int:
        """Start the children and stay until told to stop. Returns 0 when all ended within the grace, else 1."""
        if self._record is not None:
            stop_recorded_children(self._record, seconds=min(self._grace, 5.0))
        self._selector.register(self._wake_receive, selectors.EVENT_READ)
        with self._signals():
            try:
                while not self._stopping:
                    self._start_due()
                    self._wait(_TICK_SECONDS)
                    self._reap()
                    for line in self._on_tick() if self._on_tick is not None else []:
                        self.terminal.say(_SELF, line)
            finally:
                clean = self._stop_all()
        return 0 if clean else 1

    def stop(self) -> None:
        """Ask the loop to stop all children and return; callable from any thread and from a signal handler."""
        self._stopping = True
        with contextlib.suppress(BlockingIOError):
            # A full buffer wakes the loop as well.
            self._wake_send.send(b"x")

    def say(self, line: str) -> None:
        """One line of our own."""
        self.terminal.say(_SELF, line)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += 1
        self.stop()

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.process is None and slot.due_at is not None and slot.due_at <= now:
                self._start(slot)

    def _start(self, slot: _Slot) -> None:
        try:
            process = processes.spawn(
                slot.child.command, cwd=self._cwd, env={**self._env, **slot.child.env}, output=subprocess.PIPE
            )
        except OSError as error:
            self.say(f"{slot.child.name} cannot be started: {error}")
            self._schedule(slot)
            return
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, slot)
        slot.process, slot.lines, slot.started_at, slot.due_at = process, LineBuffer(), time.monotonic(), None
        self._record_write()

    def _wait(self, seconds: float) -> None:
        for key, _events in self._selector.select(seconds):
            if key.fileobj is self._wake_receive:
                self._wake_receive.recv(4096)
            else:
                self._read(key.data)

    def _read(self, slot: _Slot) -> bool:
        """Print what the child has written. False when there was nothing."""
        assert slot.process is not None and slot.process.stdout is not None
        try:
            chunk = os.read(slot.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        for line in slot.lines.feed(chunk):
            self.terminal.say(slot.child.name, line)
        if not chunk and slot.process.stdout in self._selector.get_map():
            # Closed by the child: do not wake up for it again.
            self._selector.unregister(slot.process.stdout)
        return bool(chunk)

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.process is not None and _has_ended(slot.process.pid):
                self._bury(slot)
                self._schedule(slot)

    def _bury(self, slot: _Slot) -> None:
        """The child has ended: kill the rest of its group, print its last lines, free its number."""
        process = slot.process
        assert process is not None and process.stdout is not None
        # Before wait(): until then the number, also as that of the group, cannot belong to somebody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        while self._read(slot):
            pass
        for line in slot.lines.flush():
            self.terminal.say(slot.child.name, line)
        if process.stdout in self._selector.get_map():
            self._selector.unregister(process.stdout)
        process.stdout.close()
        slot.process = None
        if not self._stopping:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            self.say(f"{slot.child.name} {how}")

    def _schedule(self, slot: _Slot) -> None:
        if slot.started_at and time.monotonic() - slot.started_at >= _HEALTHY_SECONDS:
            slot.delay = _FIRST_DELAY
        slot.due_at = time.monotonic() + slot.delay
        self.say(f"{slot.child.name} is started again in {slot.delay:g} s")
        slot.delay = min(slot.delay * 2, _LONGEST_DELAY)

    def _stop_all(self) -> bool:
        """SIGTERM to every child, SIGKILL after the grace or a second interrupt. True when none was killed."""
        self._stopping = True
        alive = [slot for slot in self._slots if slot.process is not None]
        for slot in alive:
            assert slot.process is not None
            slot.process.send_signal(signal.SIGTERM)
        self.say("stopping" if alive else "stopped")
        deadline = time.monotonic() + self._grace
        interrupts = self._interrupts
        killed: list[str] = []
        while alive:
            self._wait(0.05)
            for slot in alive:
                if slot.process is not None and _has_ended(slot.process.pid):
                    self._bury(slot)
            alive = [slot for slot in alive if slot.process is not None]
            if alive and (time.monotonic() >= deadline or self._interrupts > interrupts):
                killed += [slot.child.name for slot in alive]
                self._kill(alive)
                break
        if killed:
            self.say(f"did not stop and had to be killed: {', '.join(killed)}")
        if self._record is not None:
            self._record.unlink(missing_ok=True)
        self._selector.close()
        self._wake_receive.close()
        self._wake_send.close()
        return not killed

    def _kill(self, slots: list[_Slot]) -> None:
        for slot in slots:
            assert slot.process is not None
            slot.process.kill()
            self._bury(slot)

    def _record_write(self) -> None:
        if self._record is None:
            return
        pids = {slot.child.name: slot.process.pid for slot in self._slots if slot.process is not None}
        entries = {name: {"pid": pid, "mark": processes.start_mark(pid)} for name, pid in pids.items()}
        private_write(self._record, json.dumps(entries))


def stop_recorded_children(record: Path, *, seconds: float = 5.0) -> None:
    """Stop the children of a supervisor that was killed: SIGTERM, `seconds` later SIGKILL.

    Processes that only have the same numbers are left alone.
    """
    try:
        entries = json.loads(record.read_text())
    except FileNotFoundError:
        return
    for entry in entries.values():
        processes.stop_recorded(entry["pid"], entry["mark"], ((signal.SIGTERM, seconds), (signal.SIGKILL, 2.0)))
    record.unlink(missing_ok=True)


def _has_ended(pid: int) -> bool:
    """True when our child `pid` has ended; it stays a zombie, so that its number remains taken."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
