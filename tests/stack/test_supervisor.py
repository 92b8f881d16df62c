"""The supervisor as a real process: it is started, its children or itself are killed, and its output is read."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.stack import processes
from config.stack.paths import ROOT

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
# A child that starts a process of its own and waits for it.
PARENT = (
    "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print('grandchild', p.pid, flush=True); p.wait()"
)

PROGRAM = """
import os, sys
from pathlib import Path
from config.stack.supervisor import Child, Supervisor

children = [Child(name, [sys.executable, "-c", code]) for name, code in {children!r}]
record = Path({record!r}) if {record!r} else None
supervisor = Supervisor(children, cwd=Path("/"), env=os.environ, grace={grace!r}, record=record)
sys.exit(supervisor.run())
"""


class Running:
    """A supervisor in a process of its own; `output` grows as it prints."""

    def __init__(self, children: list[tuple[str, str]], *, grace: float, record: Path | None, log: Path) -> None:
        program = PROGRAM.format(children=children, grace=grace, record=str(record or ""))
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program], cwd=ROOT, stdout=file, stderr=file, start_new_session=True
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, *, times: int = 1) -> None:
        wait_until(lambda: self.output.count(text) >= times, f"{text!r} {times} times in {self._log}")

    def children(self) -> list[int]:
        own = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in own.read_text().split()]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    return processes.start_mark(pid) is None


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*children: tuple[str, str], grace: float = 5, record: Path | None = None) -> Running:
        running = Running(list(children), grace=grace, record=record, log=tmp_path / f"{len(started)}.log")
        started.append(running)
        return running

    yield start
    for running in started:
        with contextlib.suppress(ProcessLookupError):
            running.process.send_signal(signal.SIGTERM)
        running.process.wait(20)


def test_killed_child_is_started_again_and_that_is_said(supervise: Callable[..., Running]) -> None:
    running = supervise(("one", SLEEPER), ("two", SLEEPER))
    running.wait_for("| up", times=2)
    first = running.children()

    os.kill(first[0], signal.SIGKILL)

    running.wait_for("one   | up", times=2)
    assert "griot | one was killed by SIGKILL\n" in running.output
    assert "griot | one is started again in 0.5 s\n" in running.output
    second = running.children()
    assert first[1] in second
    assert first[0] not in second
    assert len(second) == 2


def test_restarts_of_a_child_that_always_fails_are_spaced_out(supervise: Callable[..., Running]) -> None:
    running = supervise(("bad", "print('no'); raise SystemExit(3)"))
    running.wait_for("is started again in 2 s", times=1)
    lines = [line for line in running.output.splitlines() if line.startswith("griot")]
    assert lines[:6] == [
        "griot | bad ended with code 3", "griot | bad is started again in 0.5 s",
        "griot | bad ended with code 3", "griot | bad is started again in 1 s",
        "griot | bad ended with code 3", "griot | bad is started again in 2 s",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_signal_stops_all_children(supervise: Callable[..., Running], number: signal.Signals) -> None:
    running = supervise(("one", SLEEPER), ("two", SLEEPER))
    running.wait_for("| up", times=2)
    children = running.children()

    running.process.send_signal(number)

    assert running.process.wait(4) == 0
    assert len(children) == 2
    assert all(is_gone(pid) for pid in children)
    assert "started again" not in running.output


def test_child_that_ignores_sigterm_is_killed_after_the_grace(supervise: Callable[..., Running]) -> None:
    running = supervise(("deaf", STUBBORN), ("one", SLEEPER), grace=0.7)
    running.wait_for("| deaf")
    running.wait_for("| up")
    children = running.children()
    began = time.monotonic()

    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(5) == 1
    assert 0.7 <= time.monotonic() - began < 3
    assert all(is_gone(pid) for pid in children)
    assert "did not stop and had to be killed: deaf\n" in running.output


def test_second_interrupt_does_not_wait_for_the_grace(supervise: Callable[..., Running]) -> None:
    running = supervise(("deaf", STUBBORN), grace=60)
    running.wait_for("| deaf")
    running.process.send_signal(signal.SIGINT)
    running.wait_for("| stopping")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(5) == 1


def test_processes_of_a_killed_child_end_before_it_is_started_again(supervise: Callable[..., Running]) -> None:
    running = supervise(("one", PARENT))
    running.wait_for("| grandchild")
    grandchild = int(running.output.split()[-1])

    os.kill(running.children()[0], signal.SIGKILL)

    running.wait_for("| grandchild", times=2)
    assert is_gone(grandchild)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a parent's death is only signalled on Linux")
def test_children_of_a_killed_supervisor_do_not_live_on(supervise: Callable[..., Running]) -> None:
    running = supervise(("one", SLEEPER), ("two", SLEEPER))
    running.wait_for("| up", times=2)
    children = running.children()

    running.process.kill()
    running.process.wait()

    wait_until(lambda: all(is_gone(pid) for pid in children), "the children to end")


def test_next_start_stops_a_deaf_child_of_a_killed_supervisor(
    supervise: Callable[..., Running], tmp_path: Path
) -> None:
    record = tmp_path / "children.json"
    running = supervise(("deaf", STUBBORN), record=record)
    running.wait_for("| deaf")
    orphan = running.children()[0]
    running.process.kill()
    running.process.wait()
    assert not is_gone(orphan)

    again = supervise(("one", SLEEPER), grace=0.5, record=record)
    again.wait_for("| up", times=1)

    assert is_gone(orphan)


def test_recorded_number_that_another_process_has_now_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        stopped = processes.stop_recorded(stranger.pid, "other-boot:1", ((signal.SIGKILL, 1.0),))
        assert stopped is False
        assert stranger.poll() is None
        stranger.kill()


def test_program_that_does_not_exist_is_named_and_the_others_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = PROGRAM.format(children=[("one", SLEEPER)], grace=2.0, record="").replace(
        "supervisor =", "children.append(Child('gone', ['/does/not/exist']))\nsupervisor ="
    )
    with log.open("wb") as file, subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=file) as process:
        wait_until(
            lambda: "one   | up" in log.read_text() and "gone cannot be started" in log.read_text(), "both lines"
        )
        process.terminate()
        assert process.wait(5) == 0
    assert "griot | gone cannot be started: [Errno 2] No such file or directory: '/does/not/exist'\n" in log.read_text()


def test_last_line_without_an_end_is_printed(supervise: Callable[..., Running]) -> None:
    running = supervise(("one", "import sys, time; sys.stdout.write('last words'); sys.stdout.flush()"))
    running.wait_for("one   | last words\n")
