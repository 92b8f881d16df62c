"""Rows in chunks: one chunk is what one transaction stores. The next one is read while the database works."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from django.utils import translation
from django.utils.translation import gettext as _

from contacts.imports.files import Record, RecordReader
from contacts.imports.rows import Problem, Row, RowReader
from contacts.imports.staging import staged

# About a second of the database's time, and some 20 MB for each of the three chunks that may be held at once.
CHUNK: Final = 20_000
# How long a thread may keep the interpreter while others wait: during an import, and else.
_SHORT_TURN, _USUAL_TURN = 0.0002, sys.getswitchinterval()
# Groups are made by name: a column of e-mail addresses taken for groups must not make a million of them.
MAX_GROUPS: Final = 2_000


@dataclass(slots=True)
class Chunk:
    """Rows of different people, the rows with mistakes, and the place in the file behind them."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # Names of groups that are not there yet, by their lower case.
    new_groups: dict[str, str] = field(default_factory=dict)
    read: int = 0
    repeated: int = 0
    offset: int = 0
    position: int = 0


class ChunkReader:
    """Makes chunks of the records that are left. `groups`: the groups that exist, names in lower case."""

    def __init__(self, records: RecordReader, rows: RowReader, *, groups: set[str], size: int = CHUNK) -> None:
        self._records = records
        self._rows = rows
        self._groups = set(groups)
        self._size = size
        self._is_stopped = False

    def stop(self) -> None:
        """From another thread: no chunk after this is wanted, not even the one that is being read."""
        self._is_stopped = True

    def __iter__(self) -> Iterator[Chunk]:
        stream = iter(self._records)
        # The database waits for the first one, and for nothing after that.
        size = max(1, self._size // 10)
        while batch := list(islice(stream, size)):
            chunk = self._chunk(batch)
            if self._is_stopped:
                return
            yield chunk
            size = self._size

    def _chunk(self, batch: list[Record]) -> Chunk:
        chunk = Chunk(offset=self._records.offset, position=self._records.row)
        people: dict[str, Row] = {}
        for record in batch:
            if self._is_stopped:
                break
            found = self._rows.read(record)
            if found is None:
                continue
            chunk.read += 1
            if isinstance(found, Row) and found.group is not None:
                found = self._group_noted(found, found.group, chunk)
            if isinstance(found, Problem):
                chunk.problems.append(found)
            elif (earlier := people.get(found.phone)) is not None:
                chunk.repeated += 1
                earlier.take(found)
            else:
                people[found.phone] = found
        chunk.rows = list(people.values())
        for row in chunk.rows:
            row.line = staged(row)
        return chunk

    def _group_noted(self, row: Row, name: str, chunk: Chunk) -> Row | Problem:
        key = name.lower()
        if key not in self._groups:
            if len(self._groups) >= MAX_GROUPS:
                return self._rows.problem(
                    row.row, [(None, _("there would be more than %(most)s groups") % {"most": MAX_GROUPS})], row.cells
                )
            self._groups.add(key)
            chunk.new_groups[key] = name
        return row


@contextmanager
def read_ahead(source: ChunkReader) -> Iterator[Iterator[Chunk]]:
    """The chunks of `source`, the next one read by a thread meanwhile. What it raises comes out of the iteration.

    The thread touches the file and nothing else, and ends with the block.
    """
    ready: queue.Queue[Chunk | BaseException | None] = queue.Queue(maxsize=1)
    over = threading.Event()
    language = translation.get_language()

    def put(item: Chunk | BaseException | None) -> bool:
        while not over.is_set():
            try:
                ready.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            # Reasons are written here; a thread begins without a language.
            with translation.override(language):
                for chunk in source:
                    if not put(chunk):
                        return
        except BaseException as error:  # noqa: BLE001  handed to the reader of the chunks
            put(error)
        else:
            put(None)

    def taken() -> Iterator[Chunk]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=read, name="import-rows", daemon=True)
    thread.start()
    # The database's answers are read by a thread that otherwise waits 5 ms for its turn, several times a statement.
    sys.setswitchinterval(_SHORT_TURN)
    try:
        yield taken()
    finally:
        sys.setswitchinterval(_USUAL_TURN)
        over.set()
        source.stop()
        thread.join()
