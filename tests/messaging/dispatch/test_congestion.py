"""A large lane gets fewer requests under way while it keeps others waiting, and all of them back afterwards."""

from __future__ import annotations

import asyncio
import time

from messaging.dispatch.congestion import LEAST, Congestion


def test_delays_take_away_quickly_but_never_everything():
    congestion = Congestion(400)
    assert congestion.limit == 400
    congestion.note(0.1)
    assert congestion.limit == 280
    for _ in range(20):
        congestion.note(0.1)
    assert congestion.limit == LEAST


def test_a_quiet_loop_gives_everything_back_slowly():
    congestion = Congestion(400)
    for _ in range(20):
        congestion.note(0.1)
    for _ in range(3):
        congestion.note(0.0)
    assert congestion.limit == 10
    for _ in range(50):
        congestion.note(0.0)
    assert congestion.limit == 400


def test_a_delay_near_the_target_changes_nothing():
    congestion = Congestion(400)
    congestion.note(0.02)
    assert congestion.limit == 400


def test_a_small_configured_limit_is_left_alone():
    congestion = Congestion(5)
    congestion.note(1.0)
    assert congestion.limit == 5


def watched(*, is_shared: bool) -> int:
    """The limit after a loop that is held up for a while."""

    async def hold_up() -> int:
        congestion = Congestion(400)
        watch = asyncio.create_task(congestion.watch(lambda: is_shared, lambda: 0.0))
        for _ in range(3):
            await asyncio.sleep(0.001)
            time.sleep(0.2)
        await asyncio.sleep(0)
        watch.cancel()
        return congestion.limit

    return asyncio.run(hold_up())


def test_only_a_lane_that_is_not_alone_is_held_back():
    assert watched(is_shared=True) < 400
    assert watched(is_shared=False) == 400


def test_a_database_that_is_waited_for_holds_large_lanes_back_too():
    async def wait() -> int:
        congestion = Congestion(400)
        watch = asyncio.create_task(congestion.watch(lambda: True, lambda: 1.0))
        await asyncio.sleep(0.2)
        watch.cancel()
        return congestion.limit

    assert asyncio.run(wait()) < 400
