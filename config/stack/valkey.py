"""An embedded Valkey (or Redis): broker, cache and live notifications."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from config.stack import binaries, processes
from config.stack.errors import StackError
from config.stack.paths import private_write
from config.stack.ports import port_choose

STOP = ((signal.SIGTERM, 8.0), (signal.SIGKILL, 2.0))
_START_SECONDS = 30.0


class ValkeyServer:
    """Starts and stops the server on `directory`. The caller holds the lock on it."""

    def __init__(self, directory: Path, *, password: str, durable: bool) -> None:
        self.directory = directory
        self.log = directory.parent / "valkey.log"
        self._password = password
        self._durable = durable
        self._child: subprocess.Popen[bytes] | None = None
        self.port: int | None = None

    @property
    def url(self) -> str:
        """redis:// URL of database 0 on 127.0.0.1; the password is URL-safe by construction."""
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        """redis:// URL of database number `database`."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """Process number of the server."""
        if self._child is None:
            raise StackError("Valkey has not been started")
        return self._child.pid

    def start(self, preferred_port: int | None = None) -> None:
        """Start the server and wait until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Between choosing a port and listening on it another program may take it.
        for _attempt in range(5):
            self.port = port_choose(preferred_port)
            if self._try_launch(self.port):
                return
            preferred_port = None
            if self._durable and _append_log_is_broken(self.log):
                self._set_aside()
        raise StackError(f"Valkey does not start; the reason is at the end of {self.log}")

    def stop(self) -> None:
        """Orderly shutdown; escalates after 8 s."""
        if self._child is not None:
            processes.stop_child(self._child, STOP)
            self._child = None

    def crash(self) -> None:
        """`kill -9` and wait."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(10)

    def exited(self) -> bool:
        """True when the server was started and is gone."""
        return self._child is not None and self._child.poll() is not None

    def _try_launch(self, port: int) -> bool:
        configuration = self.directory / "valkey.conf"
        # In a file, not in the arguments: everybody on the machine can read those.
        private_write(configuration, "\n".join(self._configuration(port)) + "\n")
        with self.log.open("wb") as log:
            self._child = processes.spawn(
                [str(binaries.valkey_program()), str(configuration)],
                cwd=self.directory,
                env={"LC_ALL": "C"},
                output=log,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._child.poll() is not None:
                return False
            if self._answers():
                return True
            time.sleep(0.02)
        self.stop()
        raise StackError(f"Valkey was not ready within {_START_SECONDS:.0f} s; see {self.log}")

    def _configuration(self, port: int) -> list[str]:
        persistence = ["appendonly yes", "appendfsync everysec"] if self._durable else ["appendonly no"]
        return [
            f"port {port}",
            "bind 127.0.0.1",
            f"requirepass {self._password}",
            f'dir "{self.directory}"',
            # A broker must not drop keys to make room.
            "maxmemory-policy noeviction",
            'save ""',
            *persistence,
        ]

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.exceptions.ConnectionError:
            # Not listening yet, or still loading its data.
            return False
        finally:
            client.close()

    def _set_aside(self) -> None:
        aside = self.directory / "appendonlydir.broken"
        shutil.rmtree(aside, ignore_errors=True)
        (self.directory / "appendonlydir").rename(aside)


def _append_log_is_broken(log: Path) -> bool:
    return "Bad file format reading the append only file" in log.read_text(errors="replace")
