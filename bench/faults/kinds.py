"""The faults: each does its harm, waits, and takes it away again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from bench.faults.proxy import Mode
from bench.faults.scene import PROCESSES, Scene

Inject = Callable[[Scene, random.Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """`group` is what `--faults` picks by; `inject` returns when the fault is over."""

    name: str
    group: str
    inject: Inject


def _kill(*names: str, after: float = 0.0) -> Inject:
    return lambda scene, dice: scene.restart(*names, after=after)


def _kill_one(*names: str) -> Inject:
    return lambda scene, dice: scene.restart(dice.choice(names))


def connections_cut(scene: Scene) -> int:
    """Terminate every connection of the application; returns how many."""
    with psycopg.connect(scene.instance.env["DATABASE_URL"], autocommit=True) as operator:
        row = operator.execute(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        ).fetchone()
    return int(row[0]) if row else 0


def _cut(scene: Scene, dice: random.Random) -> None:
    for _ in range(3):
        connections_cut(scene)
        time.sleep(dice.uniform(0.1, 0.5))


def _crash_postgres(scene: Scene, dice: random.Random) -> None:
    scene.crash("postgres", away=dice.uniform(1, 4))


def _crash_valkey(scene: Scene, dice: random.Random) -> None:
    scene.crash("valkey", away=dice.uniform(1, 4), lose_data=True)


def _network(mode: Mode, low: float, high: float) -> Inject:
    def inject(scene: Scene, dice: random.Random) -> None:
        if scene.proxy is None:
            raise RuntimeError("this run has no proxy")
        scene.proxy.switch(mode)
        time.sleep(dice.uniform(low, high))
        scene.proxy.switch("pass")

    return inject


def _storm(switch: str, code: int, share: float, low: float, high: float) -> Inject:
    def inject(scene: Scene, dice: random.Random) -> None:
        scene.switch(**{switch: {"code": code, "share": share}})
        time.sleep(dice.uniform(low, high))
        scene.switch(**{switch: None})

    return inject


# The black hole lasts longer than SEND_TIMEOUT_SECONDS of the run, so that the engine gives up on what is in it.
FAULTS = (
    Fault("kill -9 of one dispatch worker", "kill", _kill_one("dispatch", "dispatch2")),
    Fault("kill -9 of both dispatch workers", "kill", _kill("dispatch", "dispatch2", after=1)),
    Fault("kill -9 of a default worker", "kill", _kill_one("worker", "worker2")),
    Fault("kill -9 of both beats", "kill", _kill("beat", "beat2")),
    Fault("kill -9 of the web server", "kill", _kill("web")),
    Fault("kill -9 of everything at once", "kill", _kill(*PROCESSES, "web")),
    Fault("all database connections cut, three times", "database", _cut),
    Fault("PostgreSQL crashes, 1 to 4 s away", "database", _crash_postgres),
    Fault("Valkey killed, all its data lost, 1 to 4 s away", "valkey", _crash_valkey),
    Fault("provider refuses connections", "network", _network("refuse", 1, 3)),
    Fault("provider resets connections", "network", _network("reset", 1, 3)),
    Fault("network to the provider is a black hole", "network", _network("hole", 6, 8)),
    Fault("provider's answers lost after it accepted", "answers", _network("swallow", 1, 2)),
    Fault("5xx for half of the sends", "errors", _storm("server_error", 503, 0.5, 2, 4)),
    Fault("130429 (rate) for 40 % of the sends", "errors", _storm("sync_error", 130429, 0.4, 2, 4)),
    Fault("131056 (pair rate) for 20 % of the sends", "errors", _storm("sync_error", 131056, 0.2, 1, 2)),
)
GROUPS = tuple(dict.fromkeys(fault.group for fault in FAULTS))
