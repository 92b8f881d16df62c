"""Debian's pgbouncer in transaction mode in front of the test's PostgreSQL, with as few server connections as asked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from config.stack.accounts import database_account
from config.stack.ports import port_choose
from config.stack.processes import spawn

_STATED_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin"


def pgbouncer_program() -> str | None:
    """Where pgbouncer is; it is in no ordinary user's PATH on Debian."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:{_STATED_PLACES}")


@contextmanager
def pgbouncer(database_url: str, *, servers: int) -> Iterator[str]:
    """The same database through a pgbouncer that has `servers` connections to it; yields the URL."""
    program = pgbouncer_program()
    assert program is not None
    parts = urlsplit(database_url)
    account, port = database_account(), port_choose()
    with tempfile.TemporaryDirectory(prefix="griot-pgbouncer-") as name:
        directory = Path(name)
        users = directory / "users.txt"
        users.write_text(f'"{parts.username}" "{unquote(parts.password or "")}"\n')
        config = directory / "pgbouncer.ini"
        config.write_text(
            f"""[databases]
* = host={parts.hostname} port={parts.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = 300
log_connections = 0
log_disconnections = 0
"""
        )
        directory.chmod(0o755)
        for path in (users, config):
            path.chmod(0o600)
            if account.drop is not None:
                os.chown(path, *account.drop)
        with (directory / "log").open("wb") as log:
            child = spawn([program, str(config)], cwd="/", env=os.environ, output=log, account=account.drop)
        try:
            _wait(port, child, directory / "log")
            netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
            yield urlunsplit(parts._replace(netloc=netloc))
        finally:
            child.terminate()
            child.wait(10)


def _wait(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        assert child.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"pgbouncer does not answer: {log.read_text()}")
