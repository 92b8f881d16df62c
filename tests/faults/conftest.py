"""Short fault runs on the live platform, with the parts of `make faults`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.faults.load import Load
from bench.faults.scene import LoadedChannel, Scene, poll
from bench.faults.verdict import rows_verdict
from config.stack.paths import ROOT

MESSAGES = 400
ATTEMPTS = """SELECT count(*) FROM {schema}.messaging_sendattempt attempt
              JOIN {schema}.messaging_message message ON message.id = attempt.message_id
              WHERE message.channel_id = ANY(%(channels)s) AND attempt.outcome = %(outcome)s"""
Survive = Callable[[Callable[[Scene], Any]], dict[str, int]]


@pytest.fixture(scope="session")
def fault_channels(live_stack: Any) -> Iterator[LoadedChannel]:
    """Fresh channels of 80/s, one after the other: each test judges its own alone."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.faults.channels", "80", "80"],
        cwd=ROOT, env=live_stack.env, capture_output=True, check=True,
    )  # fmt: skip
    return iter([LoadedChannel(**fields) for fields in json.loads(done.stdout)])


@pytest.fixture
def survive(live_stack: Any, fault_channels: Iterator[LoadedChannel]) -> Iterator[Survive]:
    """`survive(harm)`: send over the API, do the harm in the middle, and hold every promise against the rows.

    Gives how often sends ended as `in_doubt` and as `retry`.
    """
    scene = Scene(live_stack, [next(fault_channels)])

    def run(harm: Callable[[Scene], Any]) -> dict[str, int]:
        [channel] = scene.channels
        load = Load(scene, channel, total=MESSAGES, seed=5)
        load.start()

        def sent() -> int:
            load.sent = scene.sends()[channel.external_id]
            return load.sent

        poll(lambda: sent() >= MESSAGES // 6, seconds=120, what="the first sends")
        harm(scene)
        poll(lambda: sent() >= 0 and not load.is_alive(), seconds=180, what="accepting")
        assert load.problem is None
        poll(lambda: scene.open_messages() == 0, seconds=180, what="final states")
        rows = rows_verdict(scene, {channel.external_id: load.accepted}, quota_before=None)
        assert [f"{row.what}: {row.value}" for row in rows if row.reached is False] == []
        assert len(load.accepted) == MESSAGES
        return {outcome: scene.count(ATTEMPTS, outcome=outcome) for outcome in ("in_doubt", "retry")}

    yield run
    scene.switch(drop_after=None, status_duplicate=0, status_shuffle=False, sync_error=None, server_error=None)
