"""Tells open pages which phones changed, over server-sent events, a few times a second at most."""

from __future__ import annotations

import asyncio
import time

import orjson

INTERVAL_S = 0.15
CHANGED_LIMIT = 500
SUBSCRIBERS = 50


class Live:
    """Collects the keys of changed phones and hands them to every subscriber."""

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._flushed = 0.0

    def touch(self, key: str) -> None:
        """Note a change; costs nothing while no page is open."""
        if self._queues and len(self._changed) < CHANGED_LIMIT:
            self._changed.add(key)

    def flush(self) -> None:
        """Send what has changed, unless that was done a moment ago."""
        now = time.monotonic()
        if not self._changed or now - self._flushed < INTERVAL_S:
            return
        event = b"data: " + orjson.dumps({"changed": sorted(self._changed)}) + b"\n\n"
        self._changed.clear()
        self._flushed = now
        for queue in self._queues:
            if not queue.full():
                queue.put_nowait(event)

    def subscribe(self) -> asyncio.Queue[bytes] | None:
        """A queue of events for one page; None when too many pages are open."""
        if len(self._queues) >= SUBSCRIBERS:
            return None
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=100)
        self._queues.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[bytes]) -> None:
        self._queues.discard(queue)

    def close(self) -> None:
        """Wake every page's stream up, so that it ends."""
        for queue in self._queues:
            if not queue.full():
                queue.put_nowait(b": goodbye\n\n")
