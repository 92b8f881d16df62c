"""The processes of `migrate --parallel N`. Nothing of Django is imported here before `begin`: each starts fresh."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tenants.schema_migration import Outcome

# A process that the system kills (out of memory) takes the pool with it: so often a new one is started for the rest.
_POOLS: Final = 3


def begin(database: str) -> None:
    """Prepare the process for the database of this name (tests use another one than the settings say)."""
    import django

    threading.Thread(target=_end_with_parent, daemon=True).start()
    django.setup()
    from django.db import connection

    connection.settings_dict["NAME"] = database


def migrate(schema: str, options: dict[str, Any], lock_seconds: float) -> Outcome:
    """`schema_migrate` in this process."""
    from tenants.schema_migration import schema_migrate

    return schema_migrate(schema, options, lock_seconds=lock_seconds)


def in_processes(
    schemas: Sequence[str], options: dict[str, Any], *, count: int, database: str, lock_seconds: float
) -> Iterator[Outcome]:
    """The outcome of each schema as it is known, migrated by `count` processes."""
    left = set(schemas)
    for _ in range(_POOLS):
        try:
            for outcome in _pooled(
                [schema for schema in schemas if schema in left], options, count, database, lock_seconds
            ):
                left.discard(outcome.schema)
                yield outcome
        except BrokenProcessPool:
            continue
        return
    from tenants.schema_migration import Outcome

    for schema in sorted(left):
        yield Outcome(schema, 0.0, "the process that migrated it was killed")


def _pooled(
    schemas: Sequence[str], options: dict[str, Any], count: int, database: str, lock_seconds: float
) -> Iterator[Outcome]:
    # Django's migration state is not made for threads. Spawned, not forked: no database connection is shared.
    pool = ProcessPoolExecutor(
        max_workers=min(count, len(schemas)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=begin,
        initargs=(database,),
    )
    try:
        for future in as_completed([pool.submit(migrate, schema, options, lock_seconds) for schema in schemas]):
            yield future.result()
    finally:
        # Interrupted or done: what has begun ends by itself, the rest is not begun.
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A killed `migrate` must not leave processes that go on without anybody who reports."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
