"""How the platform comes back: a broker that has forgotten everything, and servers that are away for ten seconds."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from bench.faults.pacing import queue
from bench.faults.scene import PROCESSES, Scene, poll
from bench.table import Row

EACH = 500
AWAY_SECONDS = 10.0
FIRST_SECONDS = 20.0


def rows_outages(scene: Scene) -> Iterator[Row]:
    """Each outage with the seconds until the first and the last message left; all processes must outlive it."""
    yield _broker_loss(scene, "broker's data lost (FLUSHALL), everything queued, nobody wakes", _flush)
    yield _broker_loss(scene, "broker killed, restarted empty, everything queued, nobody wakes", _kill_valkey)
    yield _away(scene, "valkey", "Valkey")
    yield _away(scene, "postgres", "PostgreSQL")


def _broker_loss(scene: Scene, title: str, lose: Any) -> Row:
    """Queue while the dispatch workers are stopped, so that every wake-up is in the broker when it forgets."""
    with _paused(scene, "dispatch", "dispatch2", "worker", "worker2", "beat", "beat2"):
        before = _queue(scene)
        lose(scene)
        lost = time.monotonic()
    first, last = _drain(scene, before, lost)
    return _row(title, first, last, _ended(scene, set()))


def _away(scene: Scene, name: str, title: str) -> Row:
    pids = {process: scene.instance.pid(process) for process in PROCESSES}
    scene.crash(name, away=AWAY_SECONDS, lose_data=name == "valkey")
    back = time.monotonic()
    before = _queue(scene)
    first, last = _drain(scene, before, back)
    gone = _ended(scene, {process for process, pid in pids.items() if scene.instance.pid(process) != pid})
    return _row(f"{title} away for {AWAY_SECONDS:.0f} s", first, last, gone)


def _queue(scene: Scene) -> dict[str, int]:
    """Accept `EACH` messages per channel; the provider's counts from before."""
    before = scene.sends()
    for channel in scene.channels:
        queue(scene, channel, EACH)
    return before


def _drain(scene: Scene, before: dict[str, int], since: float) -> tuple[float, float]:
    """Seconds from `since` to the first and to the last send."""
    poll(lambda: scene.sends() != before, seconds=600, what="first message after the outage", every=0.05)
    first = time.monotonic() - since
    poll(lambda: scene.open_messages() == 0, seconds=900, what="all messages after the outage", every=0.1)
    return first, time.monotonic() - since


@contextmanager
def _paused(scene: Scene, *names: str) -> Iterator[None]:
    """Stop these processes with all their children, and let them go on."""
    for name in names:
        os.killpg(scene.instance.pid(name), signal.SIGSTOP)
    try:
        yield
    finally:
        for name in names:
            os.killpg(scene.instance.pid(name), signal.SIGCONT)


def _flush(scene: Scene) -> None:
    with redis.Redis.from_url(scene.instance.env["REDIS_URL"]) as client:
        client.flushall()


def _kill_valkey(scene: Scene) -> None:
    scene.crash("valkey", away=0.5, lose_data=True)


def _ended(scene: Scene, replaced: set[str]) -> list[str]:
    return sorted({name for name in PROCESSES if not scene.instance.running(name)} | replaced)


def _row(title: str, first: float, last: float, gone: list[str]) -> Row:
    """The last depends on the channels' rates, and on doubts, whose window has to pass."""
    note = f"ended: {', '.join(gone)}" if gone else "every process lived on"
    return Row(
        title,
        f"first {first:.1f} s, last {last:.1f} s",
        f"first <= {FIRST_SECONDS:.0f} s",
        not gone and first <= FIRST_SECONDS,
        note,
    )
