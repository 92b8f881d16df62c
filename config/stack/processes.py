"""Child processes that never outlive us, and the identity of a process beyond its reusable number."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded before any fork: loading a library between fork and exec may deadlock.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def spawn(
    command: Sequence[str],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    output: int | IO[Any],
    death_signal: signal.Signals = signal.SIGTERM,
    account: tuple[int, int] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in its own process group, stdout and stderr to `output`.

    On Linux the child gets `death_signal` when the calling thread dies, even by SIGKILL: call it from a thread that
    lives as long as the child shall. `account` is (uid, gid) to run as; it needs root.
    """
    identity: dict[str, Any] = {}
    if account is not None:
        identity = {"user": account[0], "group": account[1], "extra_groups": []}
    return subprocess.Popen(
        list(command),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=_die_with_parent(death_signal),  # noqa: PLW1509  runs one system call, after the change of user
        **identity,
    )


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    if _LIBC is None:
        return None
    libc, parent, number = _LIBC, os.getpid(), int(death_signal)

    def preexec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)
        # The parent may have died between the fork and the line above.
        if os.getppid() != parent:
            os._exit(1)

    return preexec


def start_mark(pid: int) -> str | None:
    """A text that stays the same for the life of process `pid` and differs for a later one with the same number.

    None when there is no such process or it is a zombie.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None if sys.platform.startswith("linux") else _ps("lstart=", pid) or None
    # The name in parentheses may hold spaces; field 3 is the state, field 22 the start time in clock ticks (proc(5)).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def command_line(pid: int) -> str:
    """The command line of process `pid`, words separated by blanks; empty when there is no such process."""
    if not sys.platform.startswith("linux"):
        return _ps("command=", pid)
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _ps(column: str, pid: int) -> str:
    # Small Linux images have /proc but no ps; macOS has ps but no /proc.
    command = ["/bin/ps", "-o", column, "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def is_same(pid: int, mark: str | None) -> bool:
    """True when process `pid` lives and is the one that `mark` was taken from."""
    return mark is not None and start_mark(pid) == mark


def stop_recorded(pid: int, mark: str | None, signals: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Stop a process of an earlier run. `signals`: (signal, seconds to wait) in order. A process that only shares the
    number is left alone. True when there was one to stop.
    """
    if not is_same(pid, mark):
        return False
    for number, seconds in signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not is_same(pid, mark):
                return True
            time.sleep(0.05)
    return True


def stop_child(child: subprocess.Popen[bytes], signals: Sequence[tuple[signal.Signals, float]]) -> None:
    """Stop our own child, escalating through `signals`; its process group gets SIGKILL at the end."""
    for number, seconds in signals:
        if child.poll() is not None:
            return
        child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
