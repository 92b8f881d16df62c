"""`make run`: servers, migrations, demo data, processes, banner."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from types import FrameType

from config.stack.banner import banner_read
from config.stack.catalogues import catalogues_compile
from config.stack.children import platform_children
from config.stack.environment import Listening, platform_environment, wanted_servers, with_servers
from config.stack.errors import StackError
from config.stack.paths import ROOT, VAR
from config.stack.readiness import wait_until_ready
from config.stack.servers import EmbeddedServers
from config.stack.supervisor import Supervisor, stop_recorded_children

_READY_SECONDS = 120.0
_CHILDREN_RECORD = VAR / "children.json"


def run(environ: Mapping[str, str]) -> int:
    """Start everything and stay until SIGINT or SIGTERM. Returns an exit code; StackError when it cannot start."""
    listening = Listening.read(environ)
    with _only_one(), _terminate_as_interrupt():
        # Before the ports are checked: what a killed run left behind may hold them.
        stop_recorded_children(_CHILDREN_RECORD)
        listening.require_free()
        env = platform_environment(environ, listening, mode="dev", secrets_file=VAR / "secrets.json")
        catalogues_compile(ROOT)
        wanted = wanted_servers(environ)
        try:
            with EmbeddedServers(VAR, **wanted) as servers:
                env = with_servers(env, servers, wanted)
                code = subprocess.run(
                    [sys.executable, "-m", "config.stack.prepare"], cwd=ROOT, env=env, check=False
                ).returncode
                return code or _supervise(env, listening, servers)
        except KeyboardInterrupt:
            return 130


def _supervise(env: Mapping[str, str], listening: Listening, servers: EmbeddedServers) -> int:
    def heal() -> list[str]:
        return [f"{name} had died and was started again" for name in servers.heal()]

    supervisor = Supervisor(platform_children(listening), cwd=ROOT, env=env, on_tick=heal, record=_CHILDREN_RECORD)
    ended = threading.Event()
    announcer = threading.Thread(target=_announce, args=(supervisor, listening, env, ended), daemon=True)
    announcer.start()
    try:
        return supervisor.run()
    finally:
        ended.set()


def _announce(supervisor: Supervisor, listening: Listening, env: Mapping[str, str], ended: threading.Event) -> None:
    host = "127.0.0.1" if listening.host == "0.0.0.0" else listening.host  # noqa: S104  compared, not bound
    url = f"http://{host}:{listening.port}/readyz"
    problem = wait_until_ready(url, seconds=_READY_SECONDS, stopped=ended.is_set)
    if ended.is_set():
        return
    if problem is not None:
        supervisor.say(f"not ready after {_READY_SECONDS:.0f} s; {url} says: {problem}")
        return
    supervisor.terminal.write(banner_read(VAR / "demo.json"))
    # Once more, now that the sandbox is up: it learns the demo organisations' numbers.
    subprocess.run([sys.executable, "manage.py", "demo_data", "-v", "0"], cwd=ROOT, env=dict(env), check=False)


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """One `make run` per checkout; the lock goes with the process, so a killed run never blocks."""
    VAR.mkdir(exist_ok=True)
    with (VAR / "run.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackError(f"Griot already runs from this directory, as process {file.read().strip()}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the start in the same orderly way as Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
