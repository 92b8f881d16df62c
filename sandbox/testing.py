"""Starts the sandbox as a real process, for tests of any package.

with SandboxProcess(env={"SANDBOX_WEBHOOK_URL": url}) as sandbox:
    sandbox.control("PUT", "switches", {"latency_ms": 50})
    assert sandbox.inbox("+15550140071") == []
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pyreqwest.client import SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError

START_S = 15.0
STOP_S = 5.0
ROOT = Path(__file__).resolve().parent.parent


class SandboxError(RuntimeError):
    """The sandbox did not start, or refused a control call."""


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class SandboxProcess:
    """A running sandbox. `url` is its address; `log()` what it wrote."""

    def __init__(self, port: int | None = None, env: Mapping[str, str] | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        self._log = Path(self._folder.name) / "log"
        self._last_log: str | None = None
        self._client = SyncClientBuilder().no_proxy().build()

    @classmethod
    def start(cls, port: int | None = None, env: Mapping[str, str] | None = None) -> Self:
        """Start a sandbox without `with`; the caller calls `stop`."""
        return cls(port, env).__enter__()

    def __enter__(self) -> Self:
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("SANDBOX_", "META_"))}
        env = {**keep, "SANDBOX_PORT": str(self.port), "SANDBOX_HOST": "127.0.0.1", **self._env}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox"], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT
            )
        self._wait(self._process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self.stop()
                raise SandboxError(f"the sandbox ended with {process.returncode}: {self.log()}")
            if self._answers(process.pid):
                return
            time.sleep(0.03)
        self.stop()
        raise SandboxError(f"the sandbox did not answer within {START_S} s: {self.log()}")

    def _answers(self, pid: int) -> bool:
        """Whether this very process answers, not another one on the same port."""
        try:
            return bool(self.control("GET", "health")["pid"] == pid)
        except PyreqwestError:
            return False

    @property
    def pid(self) -> int:
        """The process id. Raises SandboxError when it does not run."""
        if self._process is None:
            raise SandboxError("the sandbox is not running")
        return self._process.pid

    def stop(self) -> int | None:
        """SIGTERM, and SIGKILL when that is ignored. The exit status, or None when it did not run."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            self._close()

    def _close(self) -> None:
        self._last_log = self._log.read_text(encoding="utf-8")
        self._client.close()
        self._folder.cleanup()

    def log(self) -> str:
        """What the process has written so far; kept after it has stopped."""
        return self._last_log if self._last_log is not None else self._log.read_text(encoding="utf-8")

    def control(self, method: str, path: str, body: Mapping[str, object] | None = None, **query: str) -> Any:
        """A control call such as ("PUT", "switches", {...}); the parsed answer. Raises SandboxError when refused."""
        request = self._client.request(method, f"{self.url}/_control/{path}").query(query)
        response = (request.body_json(dict(body)) if body is not None else request).build().send()
        if response.status >= 400:
            raise SandboxError(f"{method} {path}: {response.status} {response.text()}")
        return response.json()

    def inbox(self, phone: str) -> list[dict[str, Any]]:
        """The messages that this phone has received, oldest first."""
        response = self._client.get(f"{self.url}/inbox/{phone}").build().send()
        messages: list[dict[str, Any]] = response.json()["messages"]
        return messages

    def reply(self, phone: str, **act: object) -> Any:
        """Answer as the phone's owner: text=..., button_id=..., list_id=..., phone_number_id=..."""
        return self.control("POST", f"phones/{phone}/reply", act)
