"""The embedded database and broker as one context manager, for `make run`, tests and benchmarks."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

from config.stack import processes
from config.stack.accounts import database_account
from config.stack.errors import StackError
from config.stack.paths import VAR, outside_directories, private_write
from config.stack.postgres import PostgresServer
from config.stack.valkey import ValkeyServer

_OWNER_READY_SECONDS = 60.0
_VOLATILE_SLOTS = 64


class EmbeddedServers:
    """PostgreSQL and Valkey in `data_dir` (default `var/`), started on enter and stopped on exit.

    One process owns the directory at a time (a file lock, released by the system even after SIGKILL). When another
    process owns it and its servers are up, they are used as they are and left running on exit.

    `durable=False` is for tests: no fsync, and the data is new at the start and removed at the end. Without `data_dir`
    it takes the first `var/test-N` that nobody uses, so any number of test runs can go on at the same time.

    `postgres=False` or `valkey=False` leaves that server out; its URL is then None. Enter it in a thread that lives as
    long as the servers shall (see `processes.spawn`).
    """

    def __init__(
        self, data_dir: Path | None = None, *, durable: bool = True, postgres: bool = True, valkey: bool = True
    ) -> None:
        # The servers run in other directories: a relative path would lead elsewhere there.
        self._data_dir = data_dir.resolve() if data_dir else None
        self._durable = durable
        self._wanted = (postgres, valkey)
        self._lock: IO[str] | None = None
        self._postgres: PostgresServer | None = None
        self._valkey: ValkeyServer | None = None
        self._postgres_directory: Path | None = None
        self._password = ""
        self._ports: dict[str, int | None] = {}
        self._urls: dict[str, str] = {}

    @property
    def data_dir(self) -> Path:
        """The directory in use; known after entering."""
        if self._data_dir is None:
            raise StackError("The servers have not been started")
        return self._data_dir

    @property
    def owner(self) -> bool:
        """True when this object started the servers and will stop them."""
        return self._lock is not None

    @property
    def database_url(self) -> str:
        """postgresql:// URL. StackError when PostgreSQL was left out or is not running."""
        return self._url("database_url")

    @property
    def redis_url(self) -> str:
        """redis:// URL of database 0."""
        return self._url("redis_url")

    @property
    def broker_url(self) -> str:
        """redis:// URL of database 1, which Celery uses."""
        return self._url("broker_url")

    def _url(self, name: str) -> str:
        value = self._urls.get(name)
        if value is None:
            raise StackError(f"{name}: this server has not been started")
        return value

    def __enter__(self) -> EmbeddedServers:
        if self._data_dir is None:
            self._data_dir, self._lock = (VAR, _lock(VAR)) if self._durable else _free_slot()
        else:
            self._lock = _lock(self._data_dir)
        if self._lock is None:
            self._join()
            return self
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def heal(self) -> list[str]:
        """Start again, on the same port and data, what has died. Returns the names; empty when all is well."""
        healed = []
        for name, server in (("postgres", self._postgres), ("valkey", self._valkey)):
            if server is not None and server.exited():
                server.start(server.port)
                healed.append(name)
        if healed:
            self._record_write()
        return healed

    def crash(self, name: Literal["postgres", "valkey"], *, lose_data: bool = False) -> None:
        """End a server without notice, for fault tests; `heal` starts it again. `lose_data` empties Valkey's directory.

        PostgreSQL gets an immediate shutdown: its processes end without writing anything, and the next start recovers.
        """
        server = self._postgres if name == "postgres" else self._valkey
        if server is None:
            raise StackError(f"{name}: this server is not ours to crash")
        if lose_data and name != "valkey":
            raise StackError("only Valkey's data may be lost: what is in PostgreSQL is promised to stay")
        server.crash()
        if lose_data:
            shutil.rmtree(server.directory)

    def _start(self) -> None:
        record = _read_record(self.data_dir)
        _stop_recorded(record)
        self._password = password = record.get("password") or secrets.token_urlsafe(24)
        self._ports = ports = record.get("ports", {})
        with_postgres, with_valkey = self._wanted
        if with_postgres:
            self._postgres_directory = self._choose_postgres_directory()
        if not self._durable:
            self._discard()
            # Discarding removes a directory outside the project: claim it again.
            self._postgres_directory = self._choose_postgres_directory() if with_postgres else None
        # Before initdb: the password is part of the data.
        private_write(self.data_dir / "servers.json", json.dumps({**record, "password": password, "urls": {}}))
        if self._postgres_directory is not None:
            self._say_when_outside(self._postgres_directory)
            self._postgres = PostgresServer(self._postgres_directory, password=password, durable=self._durable)
            self._postgres.start(ports.get("postgres"))
        if with_valkey:
            self._valkey = ValkeyServer(self.data_dir / "valkey", password=password, durable=self._durable)
            self._valkey.start(ports.get("valkey"))
        if self._postgres is not None:
            self._urls["database_url"] = self._postgres.url
        if self._valkey is not None:
            self._urls |= {"redis_url": self._valkey.url_of(0), "broker_url": self._valkey.url_of(1)}
        self._record_write()

    def _record_write(self) -> None:
        running = {"postgres": self._postgres, "valkey": self._valkey}
        record = {
            "password": self._password,
            "urls": self._urls,
            "ports": self._ports | {name: server.port for name, server in running.items() if server is not None},
            "processes": {
                name: {"pid": server.pid, "mark": processes.start_mark(server.pid)}
                for name, server in running.items()
                if server is not None
            },
        }
        private_write(self.data_dir / "servers.json", json.dumps(record, indent=1))

    def _stop(self) -> None:
        if self._lock is None:
            return
        try:
            for server in (self._valkey, self._postgres):
                if server is not None:
                    server.stop()
            if self._durable:
                record = _read_record(self.data_dir)
                private_write(
                    self.data_dir / "servers.json", json.dumps({**record, "urls": {}, "processes": {}}, indent=1)
                )
            else:
                self._discard()
        finally:
            self._lock.close()
            self._lock = None

    def _join(self) -> None:
        """Another process owns the directory: wait until its servers are up."""
        deadline = time.monotonic() + _OWNER_READY_SECONDS
        while time.monotonic() < deadline:
            self._urls = running_urls(self.data_dir)
            if self._urls:
                return
            time.sleep(0.1)
        raise StackError(f"Another process holds {self.data_dir}/owner.lock, but its servers do not come up")

    def _choose_postgres_directory(self) -> Path:
        """`data_dir/postgres`, or a place outside when the account that runs the database cannot go there."""
        account = database_account()
        if account.reaches(self.data_dir):
            return self.data_dir / "postgres"
        for base in outside_directories(self.data_dir):
            if account.reaches(base):
                return base / "postgres"
        raise StackError(f"The account {account.name!r} can enter neither {self.data_dir} nor a temporary directory")

    def _say_when_outside(self, directory: Path) -> None:
        if directory.parent != self.data_dir:
            line = f"The database is in {directory}: PostgreSQL's account cannot enter {self.data_dir}"
            print(line, file=sys.stderr, flush=True)

    def _discard(self) -> None:
        shutil.rmtree(self.data_dir / "valkey", ignore_errors=True)
        if self._postgres_directory is not None:
            shutil.rmtree(self._postgres_directory, ignore_errors=True)
            if self._postgres_directory.parent != self.data_dir:
                shutil.rmtree(self._postgres_directory.parent, ignore_errors=True)


def _free_slot() -> tuple[Path, IO[str]]:
    for number in range(1, _VOLATILE_SLOTS + 1):
        directory = VAR / f"test-{number}"
        lock = _lock(directory)
        if lock is not None:
            return directory, lock
    raise StackError(f"{_VOLATILE_SLOTS} test runs use {VAR}/test-* already")


def _lock(directory: Path) -> IO[str] | None:
    """Become the owner of `directory`; None when another process is. The lock goes with the file's last descriptor."""
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / "owner.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _read_record(directory: Path) -> dict[str, Any]:
    try:
        record = json.loads((directory / "servers.json").read_text())
    except FileNotFoundError:
        return {}
    return record if isinstance(record, dict) else {}


def _stop_recorded(record: dict[str, Any]) -> None:
    """Stop servers of an owner that was killed; the lock tells that it is gone."""
    for process in record.get("processes", {}).values():
        signals = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 2.0))
        processes.stop_recorded(process["pid"], process["mark"], signals)


def running_urls(directory: Path) -> dict[str, str]:
    """The URLs (database_url, redis_url, broker_url) of servers that run on `directory`; empty when none does."""
    record = _read_record(directory)
    entries = record.get("processes", {}).values()
    if not entries or not all(processes.is_same(entry["pid"], entry["mark"]) for entry in entries):
        return {}
    return dict(record.get("urls", {}))
