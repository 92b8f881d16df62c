"""A private copy of the platform for tests and benchmarks: free ports, its own database, real processes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from config.stack.children import platform_children
from config.stack.environment import Listening
from config.stack.errors import StackError
from config.stack.paths import ROOT
from config.stack.ports import port_choose
from config.stack.processes import spawn
from config.stack.readiness import wait_until_ready

_READY_SECONDS = 90.0
_STOP_SECONDS = 15.0
# Numbers of the server's databases, one for the cache and one for the broker of an instance; 0 and 1 are the owner's.
# Two instances on the same numbers would do each other's tasks.
_PAIRS = [(number, number + 1) for number in range(14, 0, -2)]
ALL = ("sandbox", "web", "dispatch", "webhooks", "worker", "beat")


class Instance:
    """The platform as `make run` starts it, on the servers named by DATABASE_URL and REDIS_URL.

    `processes` are the children to start (see `ALL`); `demo` afterwards holds what demo_data wrote. Output goes to
    `log_path`. Everything is stopped, and the database dropped, on exit.
    """

    def __init__(
        self, environ: Mapping[str, str], *, processes: Sequence[str] = ALL, settings: Mapping[str, str] | None = None
    ) -> None:
        self._outer = dict(environ)
        self._wanted = tuple(processes)
        self._name = f"griot_{secrets.token_hex(4)}"
        self._pair = _PAIRS.pop()
        self._ports = (port_choose(), port_choose())
        self._directory = tempfile.TemporaryDirectory(prefix="griot-")
        self.log_path = Path(self._directory.name) / "processes.log"
        self._log: IO[Any] | None = None
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self.base_url = f"http://127.0.0.1:{self._ports[0]}"
        self.sandbox_url = f"http://127.0.0.1:{self._ports[1]}"
        self.env = self._environment(dict(settings or {}))
        self.demo: dict[str, Any] = {}

    @property
    def sandbox_port(self) -> int:
        """Where the sandbox listens, even when `SANDBOX_URL` names something that stands before it."""
        return self._ports[1]

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        broker = urlsplit(self._outer["REDIS_URL"])
        database = urlsplit(self._outer["DATABASE_URL"])
        changed = {
            "GRIOT_ENV": "dev",
            "DATABASE_URL": urlunsplit(database._replace(path=f"/{self._name}")),
            "REDIS_URL": urlunsplit(broker._replace(path=f"/{self._pair[0]}")),
            "CELERY_BROKER_URL": urlunsplit(broker._replace(path=f"/{self._pair[1]}")),
            "PORT": str(self._ports[0]),
            "SANDBOX_PORT": str(self._ports[1]),
            "PUBLIC_BASE_URL": f"http://localhost:{self._ports[0]}",
            "SANDBOX_URL": self.sandbox_url,
            "META_GRAPH_URL": self.sandbox_url,
            "INSTAGRAM_GRAPH_URL": self.sandbox_url,
            "SANDBOX_WEBHOOK_URL": f"{self.base_url}/webhook/meta",
            "DEMO_FILE": str(Path(self._directory.name) / "demo.json"),
            "LOG_LEVEL": "WARNING",
        }
        return self._outer | changed | settings

    def __enter__(self) -> Self:
        with psycopg.connect(self._outer["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._name)))
        self._log = self.log_path.open("wb")
        try:
            self._forget_former()
            if "sandbox" in self._wanted:
                self.start("sandbox")
                self._wait(f"{self.sandbox_url}/_control/health")
            self._prepare()
            for name in self._wanted:
                if name != "sandbox":
                    self.start(name)
            if "web" in self._wanted:
                path = "/readyz" if set(ALL) <= set(self._wanted) else "/healthz"
                self._wait(f"{self.base_url}{path}")
        except BaseException:
            self.stop()
            raise
        return self

    def _forget_former(self) -> None:
        """What an instance that is gone left in the same databases of Valkey would be done here."""
        for number in self._pair:
            server = urlunsplit(urlsplit(self._outer["REDIS_URL"])._replace(path=f"/{number}"))
            with redis.Redis.from_url(server) as connection:
                connection.flushdb()

    def _prepare(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "config.stack.prepare"], cwd=ROOT, env=self.env, capture_output=True, check=False
        )
        if done.returncode:
            raise StackError(f"the instance could not be prepared: {done.stderr.decode()[-2000:]}")
        self.demo = json.loads(Path(self.env["DEMO_FILE"]).read_text(encoding="utf-8"))

    def _wait(self, url: str) -> None:
        problem = wait_until_ready(url, seconds=_READY_SECONDS, stopped=lambda: False)
        if problem is not None:
            raise StackError(f"{url} is not ready: {problem}\n{self.log_tail()}")

    def log_tail(self, characters: int = 4000) -> str:
        """The end of what the processes wrote."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-characters:]

    def start(self, name: str, *, as_name: str | None = None) -> int:
        """Start one more process of a kind (see `ALL`); returns its process id."""
        listening = Listening("127.0.0.1", *self._ports, own_sandbox=True)
        commands = {child.name: child.command for child in platform_children(listening)}
        command = [part.replace(f"{name}@%h", f"{as_name or name}@%h") for part in commands[name]]
        child = spawn(command, cwd=ROOT, env=self.env, output=self._log or subprocess.DEVNULL)
        self._children[as_name or name] = child
        return child.pid

    def running(self, name: str) -> bool:
        """Whether a child of this name was started and has not ended."""
        return name in self._children and self._children[name].poll() is None

    def pid(self, name: str) -> int:
        """Process id of a running child."""
        return self._children[name].pid

    def kill(self, name: str) -> None:
        """`kill -9` a child with all its processes and wait until it is gone."""
        child = self._children.pop(name)
        os.killpg(child.pid, 9)
        child.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """Stop every child, then drop the database."""
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, 9)
                child.wait(_STOP_SECONDS)
        self._children.clear()
        if self._log is not None:
            self._log.close()
            self._log = None
        with psycopg.connect(self._outer["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self._name)))
        self._directory.cleanup()
        _PAIRS.append(self._pair)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
