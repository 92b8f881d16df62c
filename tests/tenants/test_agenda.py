"""The agenda: each item once, whoever ticks; failures come again later; stale owners change nothing."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections

import tenants.agenda as agenda
from tenants.errors import Conflict
from tenants.models import AgendaItem


def now() -> datetime:
    return datetime.now(UTC)


def past() -> datetime:
    """Due also by the clock of a transaction that began a while ago."""
    return now() - timedelta(minutes=1)


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, str]]]:
    """What the handler of kind `probe` was called with: (schema argument, key, schema of the connection)."""
    calls: list[tuple[str, str, str]] = []

    def probe(schema: str, key: str) -> datetime | None:
        calls.append((schema, key, connection.schema_name))
        if key == "breaks":
            raise ValueError("broken on purpose")
        return now() + timedelta(hours=1) if key == "again" else None

    monkeypatch.setitem(agenda._handlers, "probe", probe)
    yield calls


def run_what_is_leased() -> int:
    leases = agenda._items_lease(100)
    for lease in leases:
        agenda.run_item(lease.item_id, lease.schema, lease.kind, lease.key, lease.fence)
    return len(leases)


def test_a_due_item_runs_in_its_schema_and_is_gone(organization, handled):
    agenda.agenda_put(schema=organization.schema_name, kind="probe", key="one", due_at=past())
    agenda.agenda_put(schema=organization.schema_name, kind="probe", key="later", due_at=now() + timedelta(hours=1))
    assert run_what_is_leased() == 1
    assert handled == [(organization.schema_name, "one", organization.schema_name)]
    assert list(AgendaItem.objects.filter(kind="probe").values_list("key", flat=True)) == ["later"]


def test_one_that_wants_to_go_on_at_once_is_queued_without_a_tick(organization, monkeypatch):
    queued: list[tuple[Any, ...]] = []
    monkeypatch.setattr(agenda.run_item, "delay", lambda *item: queued.append(item))
    slices = iter([past(), past(), now() + timedelta(hours=1)])
    monkeypatch.setitem(agenda._handlers, "probe", lambda schema, key: next(slices))
    for key in ("one", "other"):
        agenda.agenda_put(schema=organization.schema_name, kind="probe", key=key, due_at=past())
    first, _other = agenda._items_lease(100)

    agenda.run_item(first.item_id, first.schema, first.kind, first.key, first.fence)
    assert [item[0] for item in queued] == [first.item_id], "itself, and not others that are due"
    agenda.run_item(*queued[0])
    agenda.run_item(*queued[0])
    assert len(queued) == 2, "a delivery of a lease that has ended does nothing"
    agenda.run_item(*queued[1])
    assert len(queued) == 2
    assert not agenda._items_lease(100)


def test_a_refusal_is_tried_again_and_told_without_a_traceback(organization, monkeypatch, caplog):
    def refused(schema: str, key: str) -> None:
        raise Conflict("provider_unreachable", "The provider did not answer.")

    monkeypatch.setitem(agenda._handlers, "probe", refused)
    agenda.agenda_put(schema=organization.schema_name, kind="probe", key="one", due_at=past())
    assert run_what_is_leased() == 1
    item = AgendaItem.objects.get(kind="probe")
    assert item.last_error == "provider_unreachable: The provider did not answer."
    assert item.leased_until is None and item.due_at > now()
    assert not [record for record in caplog.records if record.exc_info]


def test_putting_an_item_again_moves_it(organization, handled):
    for hours in (1, -1):
        agenda.agenda_put(schema="public", kind="probe", key="one", due_at=now() + timedelta(hours=hours))
    assert run_what_is_leased() == 1
    assert handled == [("public", "one", "public")]


def test_a_handler_may_come_back_later(db, handled):
    agenda.agenda_put(schema="public", kind="probe", key="again", due_at=past())
    run_what_is_leased()
    item = AgendaItem.objects.get(kind="probe")
    assert item.due_at > now() + timedelta(minutes=59)
    assert (item.leased_until, item.attempts) == (None, 0)


def test_a_failing_item_is_kept_with_its_error_and_waits_longer_each_time(db, handled):
    agenda.agenda_put(schema="public", kind="probe", key="breaks", due_at=past())
    waits = []
    for _ in range(3):
        run_what_is_leased()
        item = AgendaItem.objects.get(kind="probe")
        waits.append((item.due_at - now()).total_seconds())
        AgendaItem.objects.update(due_at=past())
    assert item.last_error == "ValueError: broken on purpose"
    assert waits == sorted(waits)
    assert waits[0] > 9
    assert waits[2] > 39


def test_a_stale_delivery_does_nothing(db, handled):
    agenda.agenda_put(schema="public", kind="probe", key="one", due_at=past())
    [lease] = agenda._items_lease(10)
    AgendaItem.objects.update(fence=lease.fence + 1)
    agenda.run_item(lease.item_id, lease.schema, lease.kind, lease.key, lease.fence)
    assert handled == []
    assert AgendaItem.objects.filter(kind="probe").count() == 1


def test_a_second_delivery_of_the_same_lease_does_nothing(db, handled):
    agenda.agenda_put(schema="public", kind="probe", key="again", due_at=past())
    [lease] = agenda._items_lease(10)
    for _ in range(2):
        agenda.run_item(lease.item_id, lease.schema, lease.kind, lease.key, lease.fence)
    assert handled == [("public", "again", "public")]


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_time_put_while_the_handler_runs_is_not_forgotten(db, monkeypatch, comes_back):
    soon = now() + timedelta(minutes=3)

    def probe(schema: str, key: str) -> datetime | None:
        agenda.agenda_put(schema=schema, kind="probe", key=key, due_at=soon)
        return now() + timedelta(hours=1) if comes_back else None

    monkeypatch.setitem(agenda._handlers, "probe", probe)
    agenda.agenda_put(schema="public", kind="probe", key="one", due_at=past())
    run_what_is_leased()
    item = AgendaItem.objects.get(kind="probe")
    assert (item.due_at, item.leased_until) == (soon, None)


def test_a_time_put_while_a_handler_fails_is_not_forgotten(db, monkeypatch):
    def probe(schema: str, key: str) -> datetime | None:
        agenda.agenda_put(schema=schema, kind="probe", key=key, due_at=past())
        raise ValueError("broken \0 on purpose")

    monkeypatch.setitem(agenda._handlers, "probe", probe)
    agenda.agenda_put(schema="public", kind="probe", key="one", due_at=now() - timedelta(minutes=2))
    run_what_is_leased()
    item = AgendaItem.objects.get(kind="probe")
    assert item.due_at < now()
    assert item.last_error == "ValueError: broken  on purpose"


def test_the_lease_of_a_slow_handler_is_kept_and_nobody_fires_it_again(committed, monkeypatch):
    monkeypatch.setattr(agenda, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(agenda, "HEARTBEAT_SECONDS", 0.2)
    leased_meanwhile: list[Any] = []

    def slow(schema: str, key: str) -> datetime | None:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            leased_meanwhile.extend(agenda._items_lease(10))
            time.sleep(0.1)
        return None

    monkeypatch.setitem(agenda._handlers, "probe", slow)
    agenda.agenda_put(schema="public", kind="probe", key="one", due_at=past())
    assert run_what_is_leased() == 1
    assert leased_meanwhile == []
    assert not AgendaItem.objects.filter(kind="probe").exists()


def test_an_item_whose_worker_died_is_leased_again_after_its_lease(db, handled):
    agenda.agenda_put(schema="public", kind="probe", key="one", due_at=past())
    assert len(agenda._items_lease(10)) == 1
    assert agenda._items_lease(10) == []
    AgendaItem.objects.update(leased_until=past())
    assert len(agenda._items_lease(10)) == 1


def test_an_unknown_kind_stays_visible_with_its_reason(db):
    agenda.agenda_put(schema="public", kind="unknown-kind", key="one", due_at=past())
    run_what_is_leased()
    assert AgendaItem.objects.get().last_error == "no handler for 'unknown-kind'"


def test_two_handlers_of_one_kind_are_refused(monkeypatch):
    monkeypatch.setitem(agenda._handlers, "probe", lambda schema, key: None)
    with pytest.raises(RuntimeError, match="two handlers"):
        agenda.agenda_handler("probe")(lambda schema, key: None)


def test_ten_schedulers_at_once_fire_each_item_once(committed):
    for index in range(100):
        agenda.agenda_put(schema="public", kind="probe", key=str(index), due_at=past())
    leased: list[str] = []
    barrier = threading.Barrier(10)

    def beat() -> None:
        barrier.wait()
        for _ in range(5):
            leased.extend(lease.key for lease in agenda._items_lease(7))
        connections.close_all()

    threads = [threading.Thread(target=beat) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    leased.extend(lease.key for lease in agenda._items_lease(100))
    assert sorted(leased) == sorted(str(index) for index in range(100))


def test_three_schedulers_and_eight_workers_fire_each_item_once_however_often_it_is_delivered(committed, monkeypatch):
    fired: list[str] = []
    broker: queue.Queue[tuple[Any, ...]] = queue.Queue()
    monkeypatch.setitem(agenda._handlers, "probe", lambda schema, key: fired.append(key))
    monkeypatch.setattr(agenda.run_item, "delay", lambda *item: [broker.put(item), broker.put(item)])
    for index in range(200):
        agenda.agenda_put(schema="public", kind="probe", key=str(index), due_at=past())
    ticked, stop = threading.Barrier(3), threading.Event()

    def schedule() -> None:
        ticked.wait()
        for _ in range(6):
            agenda.agenda_tick(limit=20)
        connections.close_all()

    def work() -> None:
        while not stop.is_set() or not broker.empty():
            try:
                agenda.run_item(*broker.get(timeout=0.05))
            except queue.Empty:
                continue
        connections.close_all()

    schedulers = [threading.Thread(target=schedule) for _ in range(3)]
    workers = [threading.Thread(target=work) for _ in range(8)]
    for thread in [*schedulers, *workers]:
        thread.start()
    for thread in schedulers:
        thread.join()
    while agenda.agenda_tick(limit=20):
        pass
    stop.set()
    for thread in workers:
        thread.join()
    assert sorted(fired) == sorted(str(index) for index in range(200))
    assert not AgendaItem.objects.filter(kind="probe").exists()


def test_the_lanes_of_a_suspended_organization_are_not_woken(organization, make_channel, monkeypatch):
    woken: list[Any] = []
    monkeypatch.setitem(agenda._lane_wakers, "channel", lambda schema, channel_id: woken.append((schema, channel_id)))
    channel = make_channel(organization)
    AgendaItem.objects.update(due_at=past())
    organization.status = "suspended"
    organization.save(update_fields=["status"])
    agenda.agenda_tick()
    assert woken == []
    organization.status = "active"
    organization.save(update_fields=["status"])
    agenda.agenda_tick()
    assert woken == [(organization.schema_name, channel.pk)]
