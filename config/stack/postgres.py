"""An embedded PostgreSQL: one data directory, one server, our child."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.stack import binaries, processes
from config.stack.accounts import Account, database_account
from config.stack.errors import StackError
from config.stack.ports import port_choose

USER = "griot"
DATABASE = "griot"
# Fast shutdown, immediate shutdown, the end (PostgreSQL manual, "Shutting Down the Server").
STOP = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 2.0))
_START_SECONDS = 60.0
# sun_path holds 108 bytes with the final zero (unix(7)); the socket is called .s.PGSQL.NNNNN.
_SOCKET_DIRECTORY_BYTES = 90

# For two cores and a few hundred connections; the benchmarks run with the same values.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    # A schema per organisation: dropping or cloning one locks every table of it.
    "max_locks_per_transaction": "512",
    # Queue tables turn over quickly: vacuum at 5 % of dead rows, not at 20 %.
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_naptime": "20s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}
# For data that is thrown away: a crash of the machine may lose all of it.
_VOLATILE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresServer:
    """Starts and stops the server on `directory`. The caller holds the lock on it: nobody else starts one there."""

    def __init__(self, directory: Path, *, password: str, durable: bool) -> None:
        self.directory = directory
        self.log = directory.parent / "postgres.log"
        self.account: Account = database_account()
        self._password = password
        self._durable = durable
        self._programs: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self.port: int | None = None

    @property
    def url(self) -> str:
        """postgresql:// URL over TCP on 127.0.0.1."""
        return f"postgresql://{USER}:{quote(self._password)}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int:
        """Process number of the postmaster."""
        if self._child is None:
            raise StackError("PostgreSQL has not been started")
        return self._child.pid

    def start(self, preferred_port: int | None = None) -> None:
        """Initialise the directory when it is new, start the server, wait until it answers."""
        self.stop_leftover()
        self._programs = self._reachable_programs()
        if not (self.directory / "PG_VERSION").exists():
            self._initialise()
        self._launch(preferred_port)
        self._database_ensure()

    def stop(self) -> None:
        """Fast shutdown; escalates after 10 s."""
        if self._child is not None:
            processes.stop_child(self._child, STOP)
            self._child = None

    def crash(self) -> None:
        """Immediate shutdown and wait: what is not in the write-ahead log is gone, as after a crash."""
        if self._child is not None:
            self._child.send_signal(signal.SIGQUIT)
            self._child.wait(10)

    def exited(self) -> bool:
        """True when the server was started and is gone."""
        return self._child is not None and self._child.poll() is not None

    def stop_leftover(self) -> None:
        """Stop a server that an earlier run left on this directory, and remove a lock that a dead one left.

        PostgreSQL itself only checks whether some process has the number in `postmaster.pid`. In a container the
        numbers repeat, so after a kill the file could name a process that has nothing to do with it.
        """
        lock = self.directory / "postmaster.pid"
        pid = _first_number(lock)
        if pid is None:
            return
        if _serves(pid, self.directory):
            processes.stop_recorded(pid, processes.start_mark(pid), STOP)
        lock.unlink(missing_ok=True)
        for path in self.directory.glob(".s.PGSQL.*"):
            path.unlink(missing_ok=True)

    def _reachable_programs(self) -> Path:
        version = self.directory / "PG_VERSION"
        major = int(version.read_text()) if version.exists() else None
        programs = binaries.postgres_directory(major)
        if self.account.can(str(programs / "postgres"), "--version"):
            return programs
        # Installed below a directory that the account may not enter: copy, bin, lib and share belong together.
        copy = self.directory.parent / f"postgresql-{binaries.postgres_major(programs)}"
        if not self.account.can(str(copy / "bin" / "postgres"), "--version"):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(programs.parent, copy, symlinks=True)
            _open_to_all(copy)
        return copy / "bin"

    def _initialise(self) -> None:
        assert self._programs is not None
        if self.directory.exists():
            # An initialisation that was interrupted: initdb refuses a directory that is not empty.
            shutil.rmtree(self.directory)
        self.account.give(self.directory)
        command = [str(self._programs / "initdb"), "-D", str(self.directory), "-U", USER, "--encoding=UTF8",
                   "--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]  # fmt: skip
        if binaries.postgres_major(self._programs) >= 17:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            command += ["--locale=C.UTF-8"]
        if not self._durable:
            command.append("--no-sync")
        with _password_file(self._password, self.account) as file:
            user, group = self.account.drop or (None, None)
            done = subprocess.run(
                [*command, f"--pwfile={file}"], cwd="/", user=user, group=group,
                extra_groups=[] if self.account.drop else None, env=_environment(), stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False, timeout=_START_SECONDS,
            )  # fmt: skip
        if done.returncode != 0:
            raise StackError(f"initdb failed: {(done.stderr or done.stdout).strip()}")

    def _launch(self, preferred_port: int | None) -> None:
        # Between choosing a port and listening on it another program may take it.
        for _attempt in range(5):
            self.port = port_choose(preferred_port)
            if self._try_launch(self.port):
                return
            preferred_port = None
        raise StackError(f"PostgreSQL does not start; the reason is at the end of {self.log}:\n{_tail(self.log)}")

    def _try_launch(self, port: int) -> bool:
        assert self._programs is not None
        settings = {**_SETTINGS, "port": str(port), **_shared_memory(), **({} if self._durable else _VOLATILE)}
        fits = len(os.fsencode(self.directory)) <= _SOCKET_DIRECTORY_BYTES
        settings["unix_socket_directories"] = str(self.directory) if fits else ""
        options = [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            self._child = processes.spawn(
                [str(self._programs / "postgres"), "-D", str(self.directory), *options],
                cwd="/", env=_environment(), output=log, death_signal=signal.SIGINT, account=self.account.drop,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._child.poll() is not None:
                return False
            if self._is_ready():
                return True
            time.sleep(0.02)
        self.stop()
        raise StackError(f"PostgreSQL was not ready within {_START_SECONDS:.0f} s; see {self.log}")

    def _is_ready(self) -> bool:
        # Line 8 of postmaster.pid is the status (PostgreSQL source, pidfile.h).
        with contextlib.suppress(FileNotFoundError):
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"
        return False

    def _database_ensure(self) -> None:
        with psycopg.connect(self.url.rpartition("/")[0] + "/postgres", autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT and the like of the person's shell must not reach the server.
    return {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ} | {"LC_ALL": "C"}


def _shared_memory() -> dict[str, str]:
    """Docker gives 64 MB of /dev/shm, too little for parallel queries: use files in the data directory then."""
    try:
        area = os.statvfs("/dev/shm")  # noqa: S108  only its size is read
    except OSError:
        return {}
    return {"dynamic_shared_memory_type": "mmap"} if area.f_frsize * area.f_blocks < 256 * 1024**2 else {}


@contextlib.contextmanager
def _password_file(password: str, account: Account) -> Iterator[str]:
    descriptor, name = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(password)
        if account.drop is not None:
            os.chown(name, *account.drop)
        yield name
    finally:
        Path(name).unlink(missing_ok=True)


def _serves(pid: int, directory: Path) -> bool:
    """True when process `pid` is a PostgreSQL that works on `directory`."""
    command = processes.command_line(pid)
    return "postgres" in command and str(directory) in command


def _first_number(path: Path) -> int | None:
    try:
        line = path.read_text().partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return int(line) if line.isdigit() else 0


def _open_to_all(directory: Path) -> None:
    for path in [directory, *directory.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _tail(path: Path, lines: int = 5) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
