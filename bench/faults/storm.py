"""The main run: faults at seeded points of the load, what was seen of each, and how fast messages flowed again."""

from __future__ import annotations

import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from bench.faults.kinds import Fault
from bench.faults.load import Load
from bench.faults.scene import Scene, poll
from bench.faults.verdict import quota_used, rows_verdict
from bench.table import Row

# Only against waiting for ever: how long it took is in the table.
PATIENCE_SECONDS = 900.0


@dataclass(slots=True)
class Seen:
    """What one kind of fault did, over all its times."""

    recoveries: list[float] = field(default_factory=list)
    in_flow: int = 0
    in_doubt: int = 0
    retried: int = 0


def rows_storm(scene: Scene, faults: Sequence[Fault], *, messages: int, rounds: int, seed: int) -> list[Row]:
    """Send `messages`, injecting each fault `rounds` times at random points; the table of faults and the verdict."""
    dice = random.Random(seed)
    each, rest = divmod(messages, len(scene.channels))
    plan = [fault for fault in faults for _ in range(rounds)]
    dice.shuffle(plan)
    points = sorted(dice.randint(messages // 50, messages * 9 // 10) for _ in plan)
    quota_before = quota_used(scene)
    loads = [
        Load(scene, channel, total=each + (place < rest), seed=dice.randrange(2**32))
        for place, channel in enumerate(scene.channels)
    ]
    started = time.monotonic()
    for load in loads:
        load.start()
    seen: dict[str, Seen] = defaultdict(Seen)
    for fault, point in zip(plan, points, strict=True):
        poll(partial(_reached, scene, loads, point), seconds=PATIENCE_SECONDS, what="load")
        sys.stderr.write(f"{time.monotonic() - started:6.1f} s  {fault.name}\n")
        _inject(scene, loads, fault, dice, seen[fault.name])
    poll(partial(_reached, scene, loads, messages), seconds=PATIENCE_SECONDS, what="accepting all messages", every=0.5)
    poll(lambda: scene.open_messages() == 0, seconds=PATIENCE_SECONDS, what="final states", every=0.5)
    elapsed = time.monotonic() - started
    accepted = {load.channel.external_id: load.accepted for load in loads}
    return [
        *(_row(fault.name, seen[fault.name]) for fault in faults),
        Row(
            f"{messages:,} messages, {len(plan)} faults",
            f"{elapsed:.0f} s",
            note=f"{_ways(loads)}; {sum(load.repeated for load in loads)} requests repeated by the client",
        ),
        *rows_verdict(scene, accepted, quota_before=quota_before),
    ]


def _inject(scene: Scene, loads: list[Load], fault: Fault, dice: random.Random, seen: Seen) -> None:
    before = _attempts(scene)
    seen.in_flow += scene.open_messages() > 0
    fault.inject(scene, dice)
    ended = time.monotonic()
    _wait_for_flow(scene, loads)
    seen.recoveries.append(time.monotonic() - ended)
    after = _attempts(scene)
    seen.in_doubt += after[0] - before[0]
    seen.retried += after[1] - before[1]


def _wait_for_flow(scene: Scene, loads: list[Load]) -> None:
    """Until every channel that has something to send has sent something."""
    start = scene.sends()

    def flows() -> bool:
        _progress(scene, loads)
        now = scene.sends()
        still = [channel for channel in scene.channels if now[channel.external_id] == start[channel.external_id]]
        return not still or all(not _waits(scene, channel.schema, channel.channel_id) for channel in still)

    poll(flows, seconds=PATIENCE_SECONDS, what="recovery", every=0.05)


def _waits(scene: Scene, schema: str, channel_id: int) -> bool:
    [(waits,)] = scene.query(
        f"""SELECT EXISTS (SELECT 1 FROM "{schema}".messaging_message
                           WHERE channel_id = %(channel)s AND status = 'queued')""",  # noqa: S608
        channel=channel_id,
    )
    return bool(waits)


def _progress(scene: Scene, loads: list[Load]) -> int:
    """Sends at the provider; tells each load its own, and passes on what went wrong in one."""
    sends = scene.sends()
    for load in loads:
        load.sent = sends[load.channel.external_id]
        if load.problem is not None:
            raise RuntimeError("a load has ended") from load.problem
    return sum(sends.values())


def _reached(scene: Scene, loads: list[Load], point: int) -> bool:
    """Whether that many sends have arrived, or everything has been accepted already."""
    return _progress(scene, loads) >= point or not any(load.is_alive() for load in loads)


def _attempts(scene: Scene) -> tuple[int, int]:
    """(doubts, retries) noted so far."""
    text = "SELECT count(*) FROM {schema}.messaging_sendattempt WHERE outcome = %(outcome)s"
    return scene.count(text, outcome="in_doubt"), scene.count(text, outcome="retry")


def _ways(loads: list[Load]) -> str:
    total: dict[str, int] = {}
    for load in loads:
        for way, count in load.ways.items():
            total[way] = total.get(way, 0) + count
    return ", ".join(f"{count:,} {way}" for way, count in sorted(total.items()))


def _row(name: str, seen: Seen) -> Row:
    recoveries = seen.recoveries
    worst = max(recoveries)
    return Row(
        name,
        f"{len(recoveries)} times",
        f"{seen.in_flow} with messages on their way",
        None,
        f"messages flow again after {sum(recoveries) / len(recoveries):.1f} s (worst {worst:.1f});"
        f" {seen.in_doubt:,} in doubt, {seen.retried:,} retries until then",
    )
