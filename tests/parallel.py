"""Several test processes at once, each on servers of its own: nothing that one does can reach the other.

Loaded by `make test` with `-p tests.parallel`: early enough to set the environment before Django reads its settings.
"""

from __future__ import annotations

import os
from typing import Any

from xdist.scheduler import LoadFileScheduling

from config.stack.environment import with_servers
from config.stack.servers import EmbeddedServers
from tests.parallel_order import shares_the_platform

# More than this many do not help: each has a PostgreSQL, a Valkey and whole platforms beside it.
_MOST = 2
_BOTH = {"postgres": True, "valkey": True}
_servers: EmbeddedServers | None = None

# The first process has the servers of `make test`; the others start theirs.
if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
    _servers = EmbeddedServers(None, durable=False, **_BOTH).__enter__()
    without_broker = {name: value for name, value in os.environ.items() if name != "CELERY_BROKER_URL"}
    os.environ.update(with_servers(without_broker, _servers, _BOTH))


def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: two processes, or one when somebody named servers, which are there once."""
    return _MOST if os.environ.get("EMBEDDED_SERVERS") == "both" else 0


class FileScheduling(LoadFileScheduling):
    """A file stays in one process, and so do all files that share the one live platform.

    Not by xdist's groups: its release 3.8 marks names in a way that pytest 9.2 no longer reads, so every test would go
    where there is room, and each process would start what a file's tests share.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "platform" if shares_the_platform(nodeid) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: Any, log: Any) -> FileScheduling:
    """Which tests go to which process."""
    return FileScheduling(config, log)


def pytest_unconfigure() -> None:
    """Stop the servers that this process started."""
    if _servers is not None:
        _servers.__exit__(None, None, None)
