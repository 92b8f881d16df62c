"""Waking many lanes costs few tasks, and no wake-up is lost between a task that ends and new work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenants.lanes import wake
from tenants.lanes.wake import lanes_woken, wake_once

KIND = "test-kind"


@pytest.fixture(autouse=True)
def no_wakes() -> Iterator[None]:
    wake._redis().delete(*wake._keys(KIND))
    yield
    wake._redis().delete(*wake._keys(KIND))


@pytest.fixture
def sent() -> list[tuple[str, int]]:
    """The tasks that were started."""
    return []


def _wake(sent: list[tuple[str, int]], lane: int) -> None:
    wake_once(KIND, "t_demo", lane, lambda schema, lane_id: sent.append((schema, lane_id)))


def _task(sent: list[tuple[str, int]], lane: int) -> Iterator[tuple[str, int]]:
    return lanes_woken(KIND, "t_demo", lane, lambda schema, lane_id: sent.append((schema, lane_id)))


def test_many_wake_ups_are_one_task_that_finds_every_lane_once(sent):
    for lane in (1, 2, 3, 2, 1):
        _wake(sent, lane)
    assert sent == [("t_demo", 1)]
    assert sorted(_task(sent, 1)) == [("t_demo", 1), ("t_demo", 2), ("t_demo", 3)]


def test_work_that_comes_while_a_task_is_at_it_is_found_by_that_task(sent):
    _wake(sent, 1)
    task = _task(sent, 1)
    assert next(task) == ("t_demo", 1)
    _wake(sent, 2)
    assert sent == [("t_demo", 1)]
    assert list(task) == [("t_demo", 2)]


def test_work_after_a_task_has_ended_starts_another(sent):
    _wake(sent, 1)
    assert list(_task(sent, 1)) == [("t_demo", 1)]
    _wake(sent, 1)
    assert sent == [("t_demo", 1)] * 2


def test_a_task_that_was_lost_is_replaced_when_its_mark_ends(sent):
    _wake(sent, 1)
    wake._redis().pexpire(wake._keys(KIND)[1], 1)
    while wake._redis().exists(wake._keys(KIND)[1]):
        pass
    _wake(sent, 2)
    assert sent == [("t_demo", 1), ("t_demo", 2)]
    assert sorted(_task(sent, 2)) == [("t_demo", 1), ("t_demo", 2)]


def test_a_task_that_never_runs_dry_hands_over_after_its_time(sent, monkeypatch):
    monkeypatch.setattr(wake, "_STAY_SECONDS", 0)
    monkeypatch.setattr(wake, "_TAKEN_AT_ONCE", 2)
    for lane in (1, 2, 3, 4):
        _wake(sent, lane)
    first = list(_task(sent, 1))
    assert len(sent) == 2, "what is left has a task of its own"
    second = list(_task(sent, sent[1][1]))
    assert {lane for _, lane in first + second} == {1, 2, 3, 4}


def test_the_agenda_wakes_a_lane_although_a_mark_is_there(sent):
    _wake(sent, 1)
    assert ("t_demo", 9) in list(_task(sent, 9))
