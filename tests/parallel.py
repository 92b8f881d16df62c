"""Several test processes at once, each on servers of its own: nothing that one does can reach the other.

Loaded by `make test` with `-p tests.parallel`: early enough to set the environment before Django reads its settings.
"""

from __future__ import annotations

import os

from config.stack.environment import with_servers
from config.stack.servers import EmbeddedServers

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


def pytest_unconfigure() -> None:
    """Stop the servers that this process started."""
    if _servers is not None:
        _servers.__exit__(None, None, None)
