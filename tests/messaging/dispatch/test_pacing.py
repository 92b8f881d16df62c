"""The pacer alone, against a network and a machine that are played, in played time."""

from __future__ import annotations

import asyncio
import bisect
import json
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bench.table import fullest_second
from messaging.dispatch import pacing
from messaging.dispatch.pacing import Departure, Pace, Pacer
from tests.messaging.dispatch.played import START, Clock, played

# For a send that leaves at a moment: when it arrives, and when its answer is read.
Way = Callable[[float], tuple[float, float]]
Run = Callable[..., Any]


def even(left_at: float) -> tuple[float, float]:
    return left_at + 0.005, left_at + 0.010


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a play on a clock."""

    def run_on(play: Callable[[Clock], Coroutine[Any, Any, Any]], clock: Clock | None = None) -> Any:
        clock = clock or Clock()
        monkeypatch.setattr(pacing, "time", clock)
        return played(play(clock), clock)

    return run_on


async def send_all(pacer: Pacer, clock: Clock, *, seconds: float, way: Way = even) -> list[float]:
    """Send as fast as the pacer lets; returns the arrivals."""
    until, arrivals, travelling = clock.now + seconds, [], set()

    async def travel(departure: Departure) -> None:
        arrives_at, answered_at = way(departure.left_at)
        arrivals.append(arrives_at)
        await asyncio.sleep(max(0.0, answered_at - clock.now))
        departure.was_taken = True
        pacer.ended(departure)

    while clock.now < until:
        travelling.add(asyncio.create_task(travel(await pacer.turn())))
    await asyncio.gather(*travelling)
    return sorted(arrivals)


def rate(arrivals: list[float]) -> float:
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


class Processor:
    """A process that is not given the processor now and then, for up to `longest` seconds."""

    def __init__(self, dice: random.Random, *, every: float, longest: float) -> None:
        self._stalls: list[tuple[float, float]] = []
        at = START
        while at < START + 100:
            at += dice.expovariate(1 / every)
            self._stalls.append((at, at + dice.uniform(0, longest)))
            at = self._stalls[-1][1]

    def gets_to(self, moment: float) -> float:
        """When something that was due at `moment` is done."""
        index = bisect.bisect_right(self._stalls, (moment, float("inf"))) - 1
        return moment if index < 0 else max(moment, self._stalls[index][1])


def test_departures_are_even_and_below_the_rate(run: Run):
    arrivals = run(lambda clock: send_all(Pacer(80), clock, seconds=20))
    assert fullest_second(arrivals) <= 80
    assert rate(arrivals) >= 77


@pytest.mark.parametrize("every, longest", [(1.0, 0.02), (0.2, 0.05), (0.1, 0.1), (0.3, 0.5)])
@pytest.mark.parametrize("seed", range(4))
def test_a_busy_machine_makes_the_lane_slower_and_never_too_fast(run: Run, every: float, longest: float, seed: int):
    dice = random.Random(seed)
    loop, wire, provider = (Processor(dice, every=every, longest=longest) for _ in range(3))

    def way(left_at: float) -> tuple[float, float]:
        arrives_at = provider.gets_to(wire.gets_to(left_at) + 0.001)
        return arrives_at, wire.gets_to(provider.gets_to(arrives_at + dice.uniform(0.05, 0.15)) + 0.001)

    clock = Clock(loop.gets_to)
    arrivals = run(lambda clock: send_all(Pacer(80), clock, seconds=20, way=way), clock)
    assert fullest_second(arrivals) <= 80
    assert rate(arrivals) >= 40


def test_requests_held_up_on_the_way_do_not_make_a_burst_at_the_provider(run: Run):
    def way(left_at: float) -> tuple[float, float]:
        arrives_at = START + 6.0 if 3.0 <= left_at - START < 6.0 else left_at + 0.005
        return arrives_at, arrives_at + 0.005

    arrivals = run(lambda clock: send_all(Pacer(40), clock, seconds=10, way=way))
    assert fullest_second(arrivals) <= 40
    # While nobody knows where the last sends are nothing more leaves: three of the seconds are lost.
    assert len(arrivals) >= 39 * 7


def test_the_first_sends_of_a_new_process_are_slower_than_the_later_ones(run: Run):
    def way(left_at: float) -> tuple[float, float]:
        arrives_at = max(left_at + 0.005, START + 0.4)
        return arrives_at, arrives_at + 0.005

    arrivals = run(lambda clock: send_all(Pacer(40), clock, seconds=5, way=way))
    assert fullest_second(arrivals) <= 40


def test_answers_that_take_long_now_and_then_cost_their_own_share_only(run: Run):
    dice = random.Random(3)

    def way(left_at: float) -> tuple[float, float]:
        return left_at + 0.005, left_at + (0.5 if dice.random() < 0.03 else 0.03)

    arrivals = run(lambda clock: send_all(Pacer(80), clock, seconds=20, way=way))
    assert fullest_second(arrivals) <= 80
    assert rate(arrivals) >= 76


def test_a_provider_that_takes_longer_than_a_second_is_paced_by_departures(run: Run):
    dice = random.Random(5)

    def way(left_at: float) -> tuple[float, float]:
        return left_at + dice.uniform(0.005, 0.08), left_at + 3.0

    arrivals = run(lambda clock: send_all(Pacer(80), clock, seconds=30, way=way))
    assert fullest_second(arrivals) <= 80
    assert rate([at for at in arrivals if at > START + 5]) >= 72


def test_a_provider_that_becomes_slower_is_known_to_be_so_after_a_while(run: Run):
    def way(left_at: float) -> tuple[float, float]:
        return left_at + 0.005, left_at + (0.05 if left_at < START + 5 else 0.5)

    arrivals = run(lambda clock: send_all(Pacer(80), clock, seconds=60, way=way))
    assert rate([at for at in arrivals if START + 6 < at < START + 14]) < 60
    assert rate([at for at in arrivals if at > START + 27]) >= 77


def test_what_never_left_takes_no_place(run: Run):
    async def refused(clock: Clock) -> float:
        pacer = Pacer(40)
        for _ in range(60):
            departure = await pacer.turn()
            departure.never_left = True
            pacer.ended(departure)
        assert pacer.pace() == Pace()
        return clock.now - START

    # Evenly spread all the same: a connection that cannot be made is not tried without a limit.
    assert run(refused) >= 59 / 40 - pacing.CATCH_UP - 0.001


def test_the_next_owner_counts_what_the_last_one_sent(run: Run):
    async def hand_over(clock: Clock) -> list[float]:
        first = Pacer(70)
        arrivals = await send_all(first, clock, seconds=0.8)
        pace = Pace.of(json.loads(json.dumps(first.pace().state())))
        assert sum(count for _, count in pace.counted) == len(arrivals) > 50
        assert pace.quickest == pytest.approx(0.010, abs=0.001)
        return arrivals + await send_all(Pacer(70, pace), clock, seconds=3)

    arrivals = run(hand_over)
    assert fullest_second(arrivals) <= 70
    assert rate(arrivals) >= 65


def test_a_limit_that_staff_change_holds_from_now_on(run: Run):
    async def change(clock: Clock) -> list[float]:
        pacer = Pacer(200)
        sending = asyncio.create_task(send_all(pacer, clock, seconds=5))
        await asyncio.sleep(2)
        pacer.set_rate(20)
        return await sending

    arrivals = run(change)
    assert rate([at for at in arrivals if at < START + 2]) >= 190
    assert fullest_second([at for at in arrivals if at > START + 2.1]) <= 20


def test_a_rate_error_halves_the_speed_and_it_comes_back(run: Run):
    async def refuse(clock: Clock) -> list[float]:
        pacer = Pacer(80)
        sending = asyncio.create_task(send_all(pacer, clock, seconds=20))
        await asyncio.sleep(5)
        pacer.slow_down()
        assert pacer.batch_size(500) == 20
        return await sending

    arrivals = run(refuse)
    assert fullest_second([at for at in arrivals if START + 5.1 < at < START + 7.4]) <= 40
    assert rate([at for at in arrivals if at > START + 5 + pacing.RECOVERY_SECONDS]) >= 77


def test_without_a_limit_nobody_waits_until_the_provider_complains(run: Run):
    async def complain(clock: Clock) -> None:
        pacer = Pacer(0)
        for _ in range(1000):
            pacer.ended(await pacer.turn())
        assert clock.now == START and not pacer.is_limited
        pacer.slow_down()
        assert pacer.is_limited
        while clock.now < START + 2 * pacing.RECOVERY_SECONDS:
            await asyncio.sleep(0.001)
            pacer.ended(await pacer.turn())
        assert not pacer.is_limited

    run(complain)
