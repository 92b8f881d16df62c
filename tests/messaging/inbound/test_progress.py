"""The arithmetic of reports: any order, doubled or not, ends in the same place."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.drivers.base import SendError, StatusUpdate
from messaging.inbound.progress import Progress, is_new_failure, progress_after, transitions

QUEUED = datetime(2026, 9, 21, 14, 0, 0, 300_000, tzinfo=UTC)


def report(status: str, seconds: int = 10, code: str = "131026") -> StatusUpdate:
    error = SendError(code, f"reason {code}") if status == "failed" else None
    return StatusUpdate("wamid.1", status, QUEUED.replace(microsecond=0) + timedelta(seconds=seconds), error=error)


reports = st.builds(
    report,
    st.sampled_from(["sent", "delivered", "read", "failed"]),
    st.integers(-5, 100),
    st.sampled_from(["131026", "131047"]),
)
starts = st.sampled_from(
    [
        Progress("queued", QUEUED),
        Progress("processing", QUEUED),
        Progress("in_doubt", QUEUED, error_code="in_doubt", error_reason="no answer"),
        Progress("sent", QUEUED, "wamid.1", sent_at=QUEUED + timedelta(seconds=1)),
        Progress("failed", QUEUED, failed_at=QUEUED, error_code="in_doubt", error_reason="no echo"),
        Progress("cancelled", QUEUED),
    ]
)


@given(starts, st.lists(reports, min_size=1, max_size=8), st.randoms(use_true_random=False), st.data())
def test_any_order_any_batches_and_doubles_give_the_same_message_and_counters(
    start: Progress, items: list[StatusUpdate], order: random.Random, data: st.DataObject
) -> None:
    expected = progress_after(start, items)
    shuffled = items * 2
    order.shuffle(shuffled)
    now, counts = start, Counter[str]()
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        batch, shuffled = shuffled[:size], shuffled[size:]
        after = progress_after(now, batch)
        counts.update(transitions(now, after))
        now = after
    assert now == expected
    assert {k: v for k, v in counts.items() if v} == {k: v for k, v in transitions(start, expected).items() if v}


@given(starts, st.lists(reports, min_size=1, max_size=6))
def test_the_times_of_the_steps_are_in_order_and_not_before_the_queue(
    start: Progress, items: list[StatusUpdate]
) -> None:
    after = progress_after(start, items)
    times = [time for time in (after.queued_at, after.sent_at, after.delivered_at, after.read_at) if time is not None]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("before", "told", "expected"),
    [
        ("processing", ["sent"], "sent"),
        ("processing", ["delivered"], "delivered"),
        ("sent", ["failed"], "failed"),
        ("delivered", ["failed"], "delivered"),
        ("read", ["delivered", "sent", "failed"], "read"),
        ("in_doubt", ["failed"], "failed"),
        ("queued", ["sent"], "sent"),
        ("scheduled", ["read"], "read"),
        ("cancelled", ["delivered"], "delivered"),
    ],
)
def test_the_status_moves_forward_only(before: str, told: list[str], expected: str) -> None:
    start = Progress(before, QUEUED, "wamid.1", sent_at=QUEUED)
    assert progress_after(start, [report(status) for status in told]).status == expected


def test_a_read_message_counts_as_delivered_and_sent_even_if_nobody_said_so() -> None:
    start = Progress("processing", QUEUED)
    after = progress_after(start, [report("read", 9)])
    assert after.sent_at == after.delivered_at == after.read_at == QUEUED.replace(microsecond=0) + timedelta(seconds=9)
    assert transitions(start, after) == {"sent": 1, "delivered": 1, "read": 1}


def test_delivered_after_failed_takes_the_failure_back() -> None:
    failed = progress_after(Progress("processing", QUEUED), [report("failed")])
    assert (failed.status, failed.error_code, failed.failed_at is not None) == ("failed", "131026", True)
    after = progress_after(failed, [report("delivered", 20)])
    assert (after.status, after.error_code, after.error_reason, after.failed_at) == ("delivered", "", "", None)
    assert transitions(failed, after) == {"delivered": 1, "failed": -1}


def test_a_failure_that_only_we_decided_gives_way_to_sent() -> None:
    ours = Progress("failed", QUEUED, failed_at=QUEUED, error_code="in_doubt", error_reason="no echo came")
    after = progress_after(ours, [report("sent", 3)])
    assert (after.status, after.error_code, after.failed_at, after.provider_id) == ("sent", "", None, "wamid.1")
    assert transitions(ours, after) == {"sent": 1, "failed": -1}


def test_sent_after_the_providers_failure_changes_nothing_but_the_time() -> None:
    failed = progress_after(Progress("processing", QUEUED), [report("failed", 5)])
    after = progress_after(failed, [report("sent", 1)])
    assert (after.status, after.error_code, after.failed_at) == ("failed", "131026", failed.failed_at)
    assert not transitions(failed, after)


def test_a_report_that_says_nothing_new_leaves_an_equal_progress() -> None:
    sent = progress_after(Progress("processing", QUEUED), [report("sent", 1)])
    assert progress_after(sent, [report("sent", 1)]) == sent


def test_a_repeated_failure_is_no_new_failure() -> None:
    start = Progress("sent", QUEUED, "wamid.1", sent_at=QUEUED)
    failed = progress_after(start, [report("failed")])
    assert is_new_failure(start, failed)
    assert not is_new_failure(failed, progress_after(failed, [report("failed")]))


def test_a_time_before_the_queue_is_shown_as_the_time_of_the_queue() -> None:
    after = progress_after(Progress("processing", QUEUED), [report("sent", 0)])
    assert after.sent_at == QUEUED
