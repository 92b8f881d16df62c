"""What the platform costs while nothing happens: statements and processor time of a minute."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.stack.instance import Instance

_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Idle:
    """Per minute: transactions, seconds of processor time of PostgreSQL's backends, of its autovacuum and of ours."""

    transactions: float
    backends: float
    housekeeping: float
    platform: float


@dataclass(frozen=True, slots=True)
class _Counted:
    """Counts since the start: transactions, and seconds of processor time."""

    transactions: float
    clients: dict[int, float]
    postgres: float
    platform: float


def idle_minute(instance: Instance, *, seconds: float) -> Idle:
    """Watch worker and beat for `seconds` and reckon it up to a minute."""
    began, before = time.monotonic(), _counted(instance)
    time.sleep(seconds)
    after, share = _counted(instance), 60 / (time.monotonic() - began)
    # By process: what a connection that ended meanwhile had used in its life is not less work now.
    clients = sum(spent - before.clients.get(pid, 0) for pid, spent in after.clients.items())
    return Idle(
        transactions=(after.transactions - before.transactions) * share,
        backends=clients * share,
        housekeeping=(after.postgres - before.postgres - clients) * share,
        platform=(after.platform - before.platform) * share,
    )


def _counted(instance: Instance) -> _Counted:
    rows = _rows("SELECT pid, backend_type = 'client backend' FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    clients = {pid: cpu_seconds([pid]) for pid, is_client in rows if is_client}
    # What processes used is counted at their parent when they are gone, as autovacuum's workers are after a while.
    postmaster = _parent(next(iter(clients)))
    others = sum(cpu_seconds([pid]) for pid, is_client in rows if not is_client)
    postgres = cpu_seconds([postmaster], children=True) + sum(clients.values()) + others
    # With the transactions of this very connection, which are the same few each time.
    transactions = _rows("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    ours = sum(_tree(instance.pid(name)) for name in ("worker", "beat"))
    return _Counted(float(transactions[0][0]), clients, postgres, ours)


def cpu_seconds(pids: Iterable[int], *, children: bool = False) -> float:
    """Seconds of processor time of the processes, with those of children that have ended if wanted (proc(5))."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(map(int, fields[11:15] if children else fields[11:13]))
    return total / _TICKS


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _tree(pid: int) -> float:
    """Processor time of a process and everything below it."""
    spent = cpu_seconds([pid], children=True)
    for task in Path(f"/proc/{pid}/task").iterdir():
        spent += sum(_tree(int(child)) for child in (task / "children").read_text().split())
    return spent


def _rows(sql: str) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
