"""Delivers webhooks: one lane per address, batches, a few POSTs at a time, retries that grow rarer, bounded memory."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import secrets
import time
from collections import deque
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from sandbox.switches import SwitchBoard
from sandbox.webhooks.encoding import Update, envelope, signature

log = logging.getLogger(__name__)
_random = secrets.SystemRandom()

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
# Meta's limit for one webhook body; a batch that comes out larger is split.
LARGEST_BODY = 3 * 1024 * 1024


class Poster:
    """All lanes, their client and their counters."""

    def __init__(self, secret: str, board: SwitchBoard, backlog_limit: int) -> None:
        self.secret = secret
        self.board = board
        self.backlog_limit = backlog_limit
        self.client: Client | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.reset()

    def reset(self) -> None:
        """Forget everything that waits and start counting anew; POSTs on the wire finish by themselves."""
        self.lanes: dict[str, Lane] = {}
        self.posts = self.delivered = self.failed_posts = self.given_up = self.overflow = 0

    def open(self) -> None:
        self.client = ClientBuilder().pool_max_idle_per_host(64).follow_redirects(False).no_proxy().build()

    async def close(self) -> None:
        """Stop posting now; what is still waiting is lost, as it is when any sender dies."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.client is not None:
            await self.client.close()

    def push(self, url: str, update: Update) -> None:
        """Queue one update for an address. The oldest of the lane goes when the backlog is full."""
        lane = self.lanes.get(url)
        if lane is None:
            lane = self.lanes[url] = Lane(self, url)
        if len(lane.pending) >= self.backlog_limit:
            lane.pending.popleft()
            self.overflow += 1
        lane.pending.append(update)

    def pump(self) -> None:
        """Start as many POSTs as each lane may have; called by the clock."""
        now = time.monotonic()
        for lane in self.lanes.values():
            if lane.pending or lane.retries:
                lane.pump(now)

    def counters(self) -> dict[str, object]:
        return {
            "posts": self.posts,
            "failed_posts": self.failed_posts,
            "delivered_updates": self.delivered,
            "given_up_updates": self.given_up,
            "overflow_updates": self.overflow,
            "waiting_updates": sum(lane.waiting() for lane in self.lanes.values()),
            "lanes": {url: lane.as_json() for url, lane in self.lanes.items()},
        }


class Batch:
    """A body on its way, with the number of its updates and of its attempts."""

    __slots__ = ("attempts", "body", "born", "size")

    def __init__(self, body: bytes, size: int, born: float) -> None:
        self.body = body
        self.size = size
        self.born = born
        self.attempts = 0


class Lane:
    """What waits for one address."""

    def __init__(self, poster: Poster, url: str) -> None:
        self.poster = poster
        self.url = url
        self.pending: deque[Update] = deque()
        self.retries: list[tuple[float, int, Batch]] = []
        self.in_flight = 0
        self.closed_until = 0.0
        self.refusals = 0
        self.last_problem = ""
        self._order = itertools.count()

    def waiting(self) -> int:
        return len(self.pending) + sum(batch.size for _, _, batch in self.retries)

    def as_json(self) -> dict[str, object]:
        return {"waiting": self.waiting(), "in_flight": self.in_flight, "last_problem": self.last_problem}

    def pump(self, now: float) -> None:
        """Send due retries first, then new batches, while there is room."""
        parallel = self.poster.board.common.webhook_parallel
        while self.in_flight < parallel and now >= self.closed_until:
            if self.retries and self.retries[0][0] <= now:
                self._start(heapq.heappop(self.retries)[2])
            elif self.pending:
                for batch in self._take(now):
                    self._start(batch)
            else:
                return

    def _take(self, now: float) -> list[Batch]:
        common = self.poster.board.common
        if common.status_shuffle:
            mixed = list(self.pending)
            _random.shuffle(mixed)
            self.pending = deque(mixed)
        count = min(common.webhook_batch, len(self.pending))
        by_object: dict[str, list[Update]] = {}
        for _ in range(count):
            update = self.pending.popleft()
            by_object.setdefault(update.object, []).append(update)
        return [batch for updates in by_object.values() for batch in self._bodies(updates, now)]

    def _bodies(self, updates: list[Update], now: float) -> list[Batch]:
        body = envelope(updates)
        if len(body) <= LARGEST_BODY or len(updates) == 1:
            return [Batch(body, len(updates), now)]
        middle = len(updates) // 2
        return self._bodies(updates[:middle], now) + self._bodies(updates[middle:], now)

    def _start(self, batch: Batch) -> None:
        self.in_flight += 1
        task = asyncio.create_task(self._post(batch))
        self.poster.tasks.add(task)
        task.add_done_callback(self.poster.tasks.discard)

    async def _post(self, batch: Batch) -> None:
        batch.attempts += 1
        problem = ""
        try:
            status = await self._send(batch.body)
            if status != 200:
                problem = f"answered {status}"
            self.refusals = 0
        except PyreqwestError as error:
            problem = f"{type(error).__name__}: {error}"
            self.refusals += 1
            self.closed_until = time.monotonic() + _pause(self.refusals)
        finally:
            self.in_flight -= 1
        if problem:
            self._retry(batch, problem)
        else:
            self.poster.posts += 1
            self.poster.delivered += batch.size
        self.pump(time.monotonic())

    async def _send(self, body: bytes) -> int:
        client = self.poster.client
        if client is None:
            raise RuntimeError("the poster is not open")
        timeout = timedelta(milliseconds=self.poster.board.common.webhook_timeout_ms)
        request = (
            client.post(self.url)
            .header("content-type", "application/json")
            .header("user-agent", "facebookexternalua")
            .header("x-hub-signature-256", signature(self.poster.secret, body))
            .body_bytes(body)
            .timeout(timeout)
            .build()
        )
        response = await request.send()
        return response.status

    def _retry(self, batch: Batch, problem: str) -> None:
        poster = self.poster
        poster.failed_posts += 1
        if self.last_problem != problem:
            log.warning("webhook to %s: %s", self.url, problem)
        self.last_problem = problem
        now = time.monotonic()
        if now - batch.born > poster.board.common.webhook_retry_for_s:
            poster.given_up += batch.size
            return
        if sum(waiting.size for _, _, waiting in self.retries) + batch.size > poster.backlog_limit:
            poster.overflow += batch.size
            return
        # The first retry follows at once, as Meta's does; then each waits twice as long.
        delay = 0.0 if batch.attempts == 1 and not self.refusals else _pause(batch.attempts - 1)
        heapq.heappush(self.retries, (now + delay, next(self._order), batch))


def _pause(failures: int) -> float:
    return float(min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** max(0, min(failures, 16) - 1)))
