"""The pacer alone, against a network that is played: departures in, arrivals out."""

from __future__ import annotations

import asyncio
import time

from messaging.dispatch.pacing import Pacer


async def play(pacer: Pacer, *, seconds: float, held_up: tuple[float, float] | None = None) -> list[float]:
    """Send as fast as the pacer lets; returns the arrivals. What is on its way in `held_up` arrives at its end."""
    start = time.time()
    arrivals: list[float] = []
    tasks = set()

    async def travel(departure) -> None:
        await asyncio.sleep(0.005)
        elapsed = time.time() - start
        if held_up and held_up[0] <= elapsed < held_up[1]:
            await asyncio.sleep(held_up[1] - elapsed)
        arrivals.append(time.time())
        await asyncio.sleep(0.005)
        pacer.answered(departure)

    while time.time() - start < seconds:
        task = asyncio.create_task(travel(await pacer.turn()))
        tasks.add(task)
    await asyncio.gather(*tasks)
    return sorted(arrivals)


def fullest_second(times: list[float]) -> int:
    return max(sum(1 for at in times if start <= at < start + 1.0) for start in times)


def test_departures_are_even_and_below_the_rate():
    arrivals = asyncio.run(play(Pacer(40), seconds=2.2))
    assert fullest_second(arrivals) <= 40
    assert len(arrivals) >= 72


def test_requests_held_up_on_the_way_do_not_make_a_burst_at_the_provider():
    arrivals = asyncio.run(play(Pacer(40), seconds=2.6, held_up=(0.6, 1.0)))
    assert fullest_second(arrivals) <= 40
    assert len(arrivals) >= 60


def test_the_next_owner_counts_what_the_last_one_sent():
    first = Pacer(30)
    arrivals = asyncio.run(play(first, seconds=0.5))
    second = Pacer(30, first.state())
    arrivals += asyncio.run(play(second, seconds=1.5))
    assert fullest_second(sorted(arrivals)) <= 30


def test_a_rate_error_halves_the_speed_and_it_comes_back():
    pacer = Pacer(80)
    pacer.slow_down()
    assert pacer.batch_size(500) == 20
    pacer._slowed_at -= 60
    asyncio.run(play(pacer, seconds=0.05))
    assert pacer.batch_size(500) == 40


def test_without_a_limit_nobody_waits_until_the_provider_complains():
    pacer = Pacer(0)
    started = time.time()
    arrivals = asyncio.run(play(pacer, seconds=0.3))
    assert len(arrivals) > 500
    assert time.time() - started < 10
    assert not pacer.is_limited
    pacer.slow_down()
    assert pacer.is_limited
