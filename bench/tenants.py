"""A thousand organisations: making, migrating and purging them, what they take, and what they cost while idle.

Part `tenants` of `make bench`; the last one, because it leaves its organisations to the instance's end.
"""

from __future__ import annotations

import logging
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bench.catalogue import backend_growth, holdings, server_mib
from bench.idle import Idle, cpu_seconds, idle_minute
from bench.platform_access import wait_for
from bench.release import NextRelease
from bench.table import Row
from config.stack.instance import Instance

_PREFIX: Final = "bench-tenant-"
_THREADS: Final = 2
_PROCESSES: Final = 2
_PURGED: Final = 100


def rows_tenants(instance: Instance, *, number: int) -> Iterator[Row]:
    """All of it for `number` organisations, row by row."""
    # A line for each organisation that is purged would drown the table.
    logging.getLogger("tenants.services.organizations").setLevel(logging.ERROR)
    idle_seconds = 60.0 if number >= 1000 else 15.0
    # What was done to set the instance up is over by then, autovacuum of it too.
    time.sleep(idle_seconds)
    before = idle_minute(instance, seconds=idle_seconds)
    empty = holdings()
    yield from _rows_creation(number)
    yield from _rows_padded()
    yield _row_no_op(instance)
    yield from _rows_size(empty, number)
    yield from _rows_memory()
    yield from _rows_idle(before, idle_minute(instance, seconds=idle_seconds), number)
    yield from _rows_release(instance)
    yield from _rows_purge(min(_PURGED, number // 2))


def _rows_creation(number: int) -> Iterator[Row]:
    from tenants.services.organizations import organization_create

    alone = number * 8 // 10
    tenth = max(1, alone // 10)
    spent, marks = [], {0: _own_cpu()}
    for index in range(alone):
        spent.append(_seconds(organization_create, name=f"Bench {index}", slug=f"{_PREFIX}{index}"))
        if index + 1 in (tenth, alone - tenth, alone):
            marks[index + 1] = _own_cpu()
    # Processor time beside the clock: it tells growth from a machine that is busy with other things.
    cpu_first, cpu_last = ((marks[end] - marks[end - tenth]) / tenth for end in (tenth, alone))
    first, last = statistics.median(spent[:tenth]), statistics.median(spent[-tenth:])
    yield Row(
        f"create an organisation, {alone} one after the other",
        f"{statistics.median(spent):.2f} s (worst {max(spent):.2f})",
        "< 2 s",
        max(spent) < 2,
        f"{alone / sum(spent):.1f}/s; first tenth {first:.2f} s ({cpu_first:.2f} s of processor time), "
        f"last tenth {last:.2f} s ({cpu_last:.2f} s)",
    )
    together = _seconds(lambda: _create_together(range(alone, number)))
    yield Row(
        f"create an organisation, {number - alone} in {_THREADS} connections",
        f"{(number - alone) / together:.1f}/s",
        note="with the machine's two cores shared by Python and PostgreSQL",
    )


def _own_cpu() -> float:
    """Seconds of processor time of this process and of PostgreSQL's for this connection."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return time.process_time() + cpu_seconds([cursor.fetchone()[0]])


def _create_together(indexes: range) -> None:
    from django.db import connection

    from tenants.services.organizations import organization_create

    def create(thread: int) -> None:
        try:
            for index in indexes[thread::_THREADS]:
                organization_create(name=f"Bench {index}", slug=f"{_PREFIX}{index}")
        finally:
            connection.close()

    with ThreadPoolExecutor(_THREADS) as threads:
        for done in [threads.submit(create, thread) for thread in range(_THREADS)]:
            done.result()


def _rows_padded() -> Iterator[Row]:
    """Cloning now, and with as many tables again; nothing of it is kept."""
    from django.db import connection, transaction

    from tenants.services.schemas import TEMPLATE_SCHEMA, schema_clone, schema_drop

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [TEMPLATE_SCHEMA])
        names = [row[0] for row in cursor.fetchall()]

        def median_clone() -> float:
            times = []
            for attempt in range(5):
                times.append(_seconds(schema_clone, schema=f"t_padded_{attempt}"))
                schema_drop(f"t_padded_{attempt}")
            return statistics.median(times)

        plain = median_clone()
        for name in names:
            table = connection.ops.quote_name(f"padded_{name}")
            cursor.execute(f"CREATE TABLE {TEMPLATE_SCHEMA}.{table} (LIKE {TEMPLATE_SCHEMA}.{name} INCLUDING ALL)")
        padded = median_clone()
        transaction.set_rollback(True)
    yield Row(f"clone {len(names)} tables", f"{plain:.2f} s", "< 2 s", plain < 2)
    each = (padded - plain) / len(names) * 1000
    yield Row(
        f"clone {2 * len(names)} tables",
        f"{padded:.2f} s",
        "< 2 s",
        padded < 2,
        f"{each:.1f} ms a further table",
    )


def _row_no_op(instance: Instance) -> Row:
    from django.core.management import call_command

    from tenants.services.organizations import customer_organizations

    inner = statistics.median([_seconds(lambda: call_command("migrate", tenant=True, verbosity=0)) for _ in range(3)])
    with tempfile.TemporaryDirectory() as directory:
        release = _release(instance, Path(directory))
        whole = _seconds(lambda: _checked(release.run("migrate", "-v", "0")))
    return Row(
        f"migrate, nothing to do, {customer_organizations().count()} organisations",
        f"{whole:.1f} s",
        "< 10 s",
        whole < 10,
        f"{inner * 1000:.0f} ms of it for the organisations, the rest is Django's start and public",
    )


def _rows_size(empty: Any, number: int) -> Iterator[Row]:
    full = holdings()
    yield Row(
        f"catalogue, {number} organisations of {full.tables} tables",
        f"{full.catalogue_mib:,.0f} MiB",
        note=f"{full.relations:,} rows in pg_class, {full.attributes:,} in pg_attribute; "
        f"{(full.catalogue_mib - empty.catalogue_mib) * 1024 / number:.0f} KiB each",
    )
    yield Row(
        "database on disk",
        f"{full.database_mib:,.0f} MiB",
        note=f"{(full.database_mib - empty.database_mib) * 1024 / number:,.0f} KiB each, without any data",
    )


def _rows_memory() -> Iterator[Row]:
    from tenants.services.organizations import customer_organizations

    schemas = list(customer_organizations().values_list("schema_name", flat=True))
    first, most = backend_growth(schemas)
    _, kept = backend_growth(schemas, recycle_after=200)
    yield Row(
        f"one connection works for {len(schemas)} organisations",
        f"{kept:.0f} MiB",
        "< 200 MiB",
        kept < 200,
        f"DATABASE_MAX_SCHEMAS=200; {first:.0f} MiB with one organisation, {most:.0f} MiB if it were never given up",
    )
    server = server_mib()
    yield Row(
        "memory of PostgreSQL, idle platform",
        f"{server['private']:.0f} MiB",
        note=f"{server['processes']} processes, beside {server['buffers']} MiB of shared buffers",
    )


def _rows_idle(before: Idle, after: Idle, number: int) -> Iterator[Row]:
    # A few of the measurement's own, and the heartbeat of leases that happen to fall into it.
    steady = after.transactions < before.transactions * 1.1 + 10
    yield Row(
        f"idle, {number + 2} organisations against 2: transactions a minute",
        f"{after.transactions:.0f} against {before.transactions:.0f}",
        "the same",
        steady,
    )
    yield Row(
        "the same: processor time of worker, beat and their database processes",
        f"{after.platform + after.backends:.2f} against {before.platform + before.backends:.2f} s/min",
        "the same",
        after.platform + after.backends < (before.platform + before.backends) * 1.3 + 0.2,
        f"autovacuum and other housekeeping of PostgreSQL: {after.housekeeping:.2f} against {before.housekeeping:.2f}",
    )


def _rows_release(instance: Instance) -> Iterator[Row]:
    """A release that adds a column to every organisation's messages, killed in the middle and run again."""
    from tenants.models import Organization
    from tenants.services.organizations import customer_organizations
    from tenants.services.schemas import code_digest

    number = customer_organizations().count()

    def moved() -> int:
        return customer_organizations().exclude(schema_digest=code_digest()).count()

    with tempfile.TemporaryDirectory() as directory:
        release = _release(instance, Path(directory))
        release.add("bench_note")
        began = time.monotonic()
        running = release.start("manage.py", "migrate", "--parallel", str(_PROCESSES))
        wait_for(lambda: moved() >= number * 3 // 10, seconds=1200)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        first, at = time.monotonic() - began, moved()
        second = _seconds(lambda: _checked(release.run("migrate", "--parallel", str(_PROCESSES), timeout=1200)))
        everything = Organization.objects.exclude(schema_name="public").values("schema_digest").distinct().count()
    yield Row(
        f"one column in {number} organisations, {_PROCESSES} processes",
        f"{first + second:.0f} s",
        note=f"killed with SIGKILL at {at} after {first:.0f} s, the rest in {second:.0f} s "
        f"({(number - at) / second:.0f}/s with start)",
    )
    yield Row("the same: organisations left behind", str(number - moved()), "0", moved() == number and everything == 1)


def _rows_purge(number: int) -> Iterator[Row]:
    from django.db import connection, transaction
    from django.utils import timezone

    from tenants.services.organizations import customer_organizations, organization_delete, organization_purge
    from tenants.services.schemas import schema_drop

    chosen = list(customer_organizations().filter(slug__startswith=_PREFIX).order_by("pk")[:number])
    with transaction.atomic(), connection.cursor() as cursor:
        schema_drop(chosen[0].schema_name)
        cursor.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")
        locks = cursor.fetchone()[0]
        transaction.set_rollback(True)
    for organization in chosen:
        organization_delete(organization=organization)
    customer_organizations().filter(pk__in=[row.pk for row in chosen]).update(
        purge_at=timezone.now() - timedelta(seconds=1)
    )
    spent = [_seconds(organization_purge, organization=row) for row in chosen]
    yield Row(
        f"purge {number} organisations",
        f"{number / sum(spent):.1f}/s",
        note=f"median {statistics.median(spent):.2f} s, worst {max(spent):.2f} s",
    )
    # 64 locks for each of 100 connections is what an untuned server has.
    yield Row("locks held at most while one is purged", str(locks), "< 6,400", locks < 6400)


def _release(instance: Instance, directory: Path) -> NextRelease:
    return NextRelease(directory, app="messaging", model="message", environment=instance.env, settings="bench.settings")


def _checked(outcome: tuple[int, str, str]) -> None:
    code, _, errors = outcome
    if code:
        raise RuntimeError(f"migrate failed: {errors[-2000:]}")


def _seconds(act: Callable[..., Any], **arguments: Any) -> float:
    began = time.perf_counter()
    act(**arguments)
    return time.perf_counter() - began
