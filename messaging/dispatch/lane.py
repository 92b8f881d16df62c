"""One lane: take it, claim, send, settle, give it back. Runs as one coroutine among many in the engine's loop."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
import structlog
from django.conf import settings
from psycopg_pool import AsyncConnectionPool

from messaging.dispatch import sql
from messaging.dispatch.channel_state import ChannelState, channel_state, next_utc_day
from messaging.dispatch.congestion import Congestion
from messaging.dispatch.files import FileResolver
from messaging.dispatch.gateways import gateway_pin
from messaging.dispatch.health import HealthNotes
from messaging.dispatch.memory import RELOAD_EVERY, Known, Memory
from messaging.dispatch.outcomes import (
    Result,
    result_expired,
    result_in_doubt,
    result_refused,
    result_sent,
    result_suppressed,
    result_unsent,
)
from messaging.dispatch.pacing import Pacer
from messaging.dispatch.store import DATABASE_AWAY, Store
from messaging.dispatch.transport import NotSent, Transport
from messaging.drivers.base import Ambiguous, Outgoing, SendError
from messaging.media.references import MARK

log = structlog.get_logger(__name__)

LOST = "The worker stopped before the outcome was known."
UNCONFIRMED = "Whether the provider took it could not be confirmed; not sent again, to avoid sending it twice."
SETTLE_EVERY = 0.05
# While answers are outstanding, new work is looked for this often.
LOOK_EVERY = 0.1
SETTLE_AT = 200
DUE_LIMIT = 5000
# A doubt that ended longer ago than this was not looked at in time: the platform was away.
LATE = timedelta(seconds=30)
# A lane that worked is looked at again after this, and is idle only after a minute without work.
COOL_SECONDS = 5
IDLE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Taken:
    """The lease: the lane's row, our fencing number and what the previous owner left."""

    lane: int
    fence: int
    sent: list[list[float]]
    idle_since: float
    was_abandoned: bool
    has_due: bool
    rows: list[tuple[Any, ...]]
    health: HealthNotes


# Columns of the lease in the answer to TAKE; a claimed message follows, in the columns of CLAIM.
_LEASE_COLUMNS = 5
_ATTEMPTS = itertools.count(1)

# What became of this process's messages since the engine last passed it on to the metrics.
OUTCOMES: Counter[str] = Counter()


def _urgency(row: tuple[Any, ...]) -> tuple[int, int]:
    return row[4], row[0]


class LaneLost(Exception):
    """Another process owns the lane now."""


class Lane:
    """Pumps one channel until its queue is empty, it may not send, or the engine stops.

    Messages leave in order of priority, then age. Up to `DISPATCH_CONCURRENCY` requests are under way; results are
    settled in batches while the next ones are sent. Nothing here waits for a slow answer but that answer's own task.
    """

    def __init__(
        self,
        *,
        schema: str,
        channel_id: int,
        pool: AsyncConnectionPool[Any],
        transport: Transport,
        owner: str,
        memory: Memory | None = None,
        congestion: Congestion | None = None,
    ) -> None:
        self.schema = schema
        self.channel_id = channel_id
        self._store = Store(schema=schema, channel_id=channel_id, pool=pool)
        self._files = FileResolver(store=self._store, transport=transport)
        self._transport = transport
        self._owner = owner
        self._memory = {} if memory is None else memory
        self._congestion = congestion or Congestion(settings.DISPATCH_CONCURRENCY)
        self._stopping = False
        self._work = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        # Claimed messages whose result is not known yet.
        self._open = 0
        self._results: list[Result] = []
        self._settled_at = 0.0
        self._channel: ChannelState

    def stop(self) -> None:
        """Claim nothing more; what is under way is finished and settled."""
        self._stopping = True
        self._work.set()

    async def run(self) -> bool:
        """Take the lane and pump it. Returns False when somebody else holds it, or nothing may be sent."""
        taken = await self._store.insist(self._take)
        if taken is None:
            return False
        self._taken = taken
        # Most leases are given back long before their first heartbeat: it costs them one timer.
        loop = asyncio.get_running_loop()
        heartbeats: list[asyncio.Task[None]] = []
        timer = loop.call_later(
            settings.DISPATCH_LEASE_SECONDS / 3, lambda: heartbeats.append(loop.create_task(self._heartbeat()))
        )
        try:
            while True:
                outcome = await self._pump_through()
                again = await self._store.insist(partial(self._release, outcome))
                if not again:
                    return True
                retaken = await self._store.insist(self._take)
                if retaken is None:
                    return True
                self._taken = retaken
        except LaneLost:
            log.warning("lane_lost", schema=self.schema, channel=self.channel_id)
            return True
        finally:
            timer.cancel()
            for heartbeat in heartbeats:
                heartbeat.cancel()

    # -- the lease -----------------------------------------------------------------------------------------------

    async def _take(self) -> Taken | None:
        """Take the lease, with a first batch when the channel is known well enough to say how many it may send."""
        known = self._remembered()
        params = {
            "schema": self.schema,
            "key": str(self.channel_id),
            "channel": self.channel_id,
            # Of this attempt alone: should its answer be lost, nothing else is called back.
            "owner": f"{self._owner[-66:]}:{next(_ATTEMPTS)}",
            "lease": timedelta(seconds=settings.DISPATCH_LEASE_SECONDS),
            "stale": self._stale,
            "limit": 0
            if known is None
            else Pacer(known.channel.rate).batch_size(min(settings.DISPATCH_BATCH, settings.DISPATCH_CONCURRENCY)),
        }
        try:
            rows = await self._store.execute(self._store.sql.take, params)
        except DATABASE_AWAY:
            recall = {name: params[name] for name in ("schema", "key", "channel", "owner")}
            await self._store.insist(lambda: self._store.execute(self._store.sql.recall_taken, recall))
            raise
        if not rows:
            return None
        lane, fence, state, was_abandoned, has_due = rows[0][:_LEASE_COLUMNS]
        claimed = [row[_LEASE_COLUMNS:] for row in rows if row[_LEASE_COLUMNS] is not None]
        claimed.sort(key=_urgency)
        return Taken(
            lane,
            fence,
            state.get("sent", []),
            state.get("idle_since", 0.0),
            was_abandoned,
            has_due,
            claimed,
            HealthNotes.of(state),
        )

    def _remembered(self) -> Known | None:
        """The channel as it was a moment ago; None when it must be read, such as to count its daily cap."""
        known = self._memory.get((self.schema, self.channel_id))
        if known is None or time.monotonic() - known.loaded_at > RELOAD_EVERY:
            return None
        usable = known.channel.remaining_today is None and known.channel.status == "connected"
        return known if usable and not known.channel.is_new else None

    def _remember(self) -> None:
        self._memory[self.schema, self.channel_id] = Known(self._channel, self._loaded_at)

    @property
    def _stale(self) -> timedelta:
        """A claim older than this has no owner any more that could still settle it."""
        return timedelta(seconds=settings.SEND_TIMEOUT_SECONDS + 30)

    async def _heartbeat(self) -> None:
        lease = settings.DISPATCH_LEASE_SECONDS
        while True:
            params = {"lane": self._taken.lane, "fence": self._taken.fence, "lease": timedelta(seconds=lease)}
            try:
                extended = await self._store.execute(sql.EXTEND, params)
            except DATABASE_AWAY as error:
                # The next beat tries again; without one in time the lease ends and claims are refused by their guard.
                log.warning("lease_not_extended", schema=self.schema, channel=self.channel_id, error=str(error))
            else:
                if not extended:
                    self.stop()
            await asyncio.sleep(lease / 3)

    async def _release(self, outcome: str) -> bool:
        """Give the lane back. True when work came in meanwhile and it should be taken again at once."""
        blocked = outcome in {"paused", "capped"}
        look_again, idle_since = self._next_look(outcome)
        await self._note_health(outcome)
        state = {"sent": self._pacer.state(), "idle_since": idle_since, "health": self._taken.health.state()}
        rows = await self._store.execute(
            self._store.sql.release,
            {
                "channel": self.channel_id,
                "lane": self._taken.lane,
                "fence": self._taken.fence,
                "state": orjson.dumps(state).decode(),
                "look_again": None if look_again is None else timedelta(seconds=look_again),
                "blocked_until": next_utc_day(datetime.now(UTC)) if outcome == "capped" else None,
            },
        )
        return bool(rows and rows[0][0]) and not blocked and not self._stopping

    async def _note_health(self, outcome: str) -> None:
        """Tell those who watch how the channel is doing, when that is due."""
        notes = self._taken.health
        if not notes.is_due(outcome):
            return
        params = {"schema": self.schema, "channel": self.channel_id, **notes.params(outcome)}
        rows = await self._store.execute(self._store.sql.health, params)
        if rows:
            notes.written(sent=params["sent"], queued=rows[0][0], outcome=outcome)

    def _next_look(self, outcome: str) -> tuple[float | None, float]:
        """(seconds until the lane is looked at again, or None for "when something wakes it"; idle since when)."""
        if outcome in {"paused", "capped"}:
            return None, 0.0
        if outcome == "worked":
            return (0 if self._stopping else COOL_SECONDS), 0.0
        now = time.time()
        since = self._taken.idle_since or now
        # Idle for good only after a whole minute without work: see "No lost wake-up" in docs/engine.md.
        return (None, 0.0) if now - since >= IDLE_SECONDS else (IDLE_SECONDS, since)

    # -- the pump ------------------------------------------------------------------------------------------------

    async def _pump_through(self) -> str:
        """Pump; when the database goes away meanwhile, wait for it and have the lane looked at again."""
        try:
            return await self._pump()
        except DATABASE_AWAY as error:
            # What had left is settled by now. A claim may have been committed without us knowing.
            log.warning("lane_waits_for_database", schema=self.schema, channel=self.channel_id, error=str(error))
            params = {"channel": self.channel_id, "fence": self._taken.fence}
            await self._store.insist(lambda: self._store.execute(self._store.sql.recall, params))
            return "worked"

    async def _pump(self) -> str:
        """Send until nothing is left. Returns worked, nothing, paused or capped."""
        self._pacer = Pacer(0, [])
        rows, known = self._taken.rows, self._remembered()
        if rows and known is not None:
            self._channel, self._loaded_at = known.channel, known.loaded_at
        else:
            await self._load()
        self._pacer = Pacer(self._channel.rate, self._taken.sent)
        if self._taken.was_abandoned or self._taken.has_due:
            await self._recover()
            await self._take_up()
        worked, drained, looked_at = bool(rows), False, 0.0
        if rows:
            # What came in after the claim is seen when the lane is given back, if not before.
            drained, looked_at = len(rows) < self._pacer.batch_size(settings.DISPATCH_BATCH), time.monotonic()
        try:
            self._start(rows)
            while True:
                now = time.monotonic()
                if now - self._loaded_at > RELOAD_EVERY:
                    await self._load()
                    await self._take_up()
                    await self._note_health("worked")
                reason = self._blocked()
                room = self._room()
                if room and not reason and not self._stopping and (not drained or now - looked_at >= LOOK_EVERY):
                    looked_at = now
                    rows = await self._claim(room)
                    worked = worked or bool(rows)
                    drained = len(rows) < room
                    self._start(rows)
                if not self._open and (drained or self._stopping or reason):
                    await self._settle()
                    return reason or ("worked" if worked else "nothing")
                await self._wait()
                if self._results and self._may_settle():
                    await self._settle()
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """Whatever ended the pump, answers that are still under way are waited for and written down."""
        while self._open:
            await self._wait()
        await self._settle()

    def _blocked(self) -> str:
        if self._channel.status != "connected":
            return "paused"
        return "capped" if self._channel.remaining_today == 0 else ""

    def _room(self) -> int:
        """How many to claim now; 0 until a fair share of the requests under way has been answered."""
        batch = self._pacer.batch_size(settings.DISPATCH_BATCH)
        if self._pacer.is_limited and self._open >= batch:
            return 0
        most = self._congestion.limit
        room = min(batch, most - self._open)
        if self._open and room < min(batch, max(1, most // 4)):
            return 0
        remaining = self._channel.remaining_today
        return room if remaining is None else min(room, remaining)

    def _may_settle(self) -> bool:
        late = time.monotonic() - self._settled_at > SETTLE_EVERY
        return late or not self._open or len(self._results) >= SETTLE_AT

    async def _wait(self) -> None:
        """Sleep until enough answers have come in, or it is time to look or settle."""
        if not self._open:
            return
        self._work.clear()
        try:
            await asyncio.wait_for(self._work.wait(), SETTLE_EVERY)
        except TimeoutError:
            return

    async def _load(self) -> None:
        rows = await self._store.execute(self._store.sql.channel, {"channel": self.channel_id})
        if not rows:
            raise LaneLost
        self._channel = channel_state(rows[0], now=datetime.now(UTC))
        self._loaded_at = time.monotonic()
        self._remember()
        if self._channel.remaining_today is not None:
            self._channel.remaining_today = max(0, self._channel.remaining_today - self._open - len(self._results))

    async def _recover(self) -> None:
        """What a dead owner left behind becomes doubt."""
        await self._store.execute(
            self._store.sql.recover,
            {
                "channel": self.channel_id,
                "fence": self._taken.fence,
                "abandoned": self._taken.was_abandoned,
                "window": timedelta(seconds=settings.IN_DOUBT_WINDOW_SECONDS),
                "stale": self._stale,
                "reason": LOST,
            },
        )

    async def _take_up(self) -> None:
        """What has come due becomes work; doubt that nobody resolved is decided."""
        await self._store.take_up(
            {
                "channel": self.channel_id,
                "policy": self._channel.in_doubt_policy,
                "reason": UNCONFIRMED,
                "window": timedelta(seconds=settings.IN_DOUBT_WINDOW_SECONDS),
                "late": LATE,
                "limit": DUE_LIMIT,
            }
        )

    async def _claim(self, limit: int) -> list[tuple[Any, ...]]:
        rows = await self._store.execute(
            self._store.sql.claim,
            {"lane": self._taken.lane, "fence": self._taken.fence, "channel": self.channel_id, "limit": limit},
        )
        rows.sort(key=_urgency)
        if self._channel.remaining_today is not None:
            self._channel.remaining_today -= len(rows)
        return rows

    def _start(self, rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            task = asyncio.create_task(self._send(row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._open += len(rows)

    async def _send(self, row: tuple[Any, ...]) -> None:
        message_id, uuid, address, content, _, attempts, reply_to, expires_at, held = row
        if held is not None:
            result = result_suppressed(message_id=message_id, scope=held)
        else:
            departure = await self._pacer.turn()
            if expires_at is not None and expires_at <= time.time():
                result = result_expired(message_id=message_id)
            else:
                result = await self._exchange(message_id, uuid, address, content, attempts, reply_to)
            self._pacer.answered(departure)
        self._results.append(result)
        self._open -= 1
        if not self._open or len(self._results) >= SETTLE_AT:
            self._work.set()

    async def _exchange(
        self, message_id: int, uuid: str, address: str, content: str, attempts: int, reply_to: str
    ) -> Result:
        driver = self._channel.driver
        try:
            kind = driver.address_kind_of(address)
            parsed = orjson.loads(content)
            if MARK in content:
                parsed = await self._files.resolve(driver, self._channel.info, parsed)
            request = driver.build_send(self._channel.info, Outgoing(uuid, address, parsed, kind, reply_to))
            gateway = self._channel.gateway
            pinned = None if gateway is None else await gateway_pin(gateway)
        except SendError as error:
            return result_refused(message_id=message_id, address=address, attempts=attempts, error=error)
        except Exception as error:
            # A poison row must not stop the lane: it fails alone, with its reason; the log has the traceback.
            log.exception("message_not_prepared", schema=self.schema, message=uuid)
            refusal = SendError("internal", f"The message could not be prepared ({type(error).__name__}).")
            return result_refused(message_id=message_id, address="", attempts=attempts, error=refusal)
        window = settings.IN_DOUBT_WINDOW_SECONDS
        left_at = time.time()
        try:
            response = await self._transport.send(request, pinned)
            return result_sent(message_id=message_id, sent=driver.read_send(response), at=left_at)
        except NotSent:
            return result_unsent(message_id=message_id, attempts=attempts)
        except SendError as error:
            return result_refused(message_id=message_id, address=address, attempts=attempts, error=error)
        except Ambiguous as doubt:
            return result_in_doubt(message_id=message_id, window=window, why=str(doubt))
        except Exception as error:
            # The request has left, so an answer that we cannot read is a doubt and not a failure.
            log.exception("answer_not_read", schema=self.schema, message=uuid)
            return result_in_doubt(message_id=message_id, window=window, why=f"Unreadable answer: {error}")

    # -- settling ------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Write the results down. They exist nowhere else, so a database that is away is waited for."""
        results, self._results = self._results, []
        self._settled_at = time.monotonic()
        if not results:
            return
        if any(result.slow_down for result in results):
            self._pacer.slow_down()
        pauses = [result.pause_reason for result in results if result.pause_reason]
        is_first = self._channel.is_new and any(result.status == "sent" for result in results)
        settle = partial(
            self._store.settle, results, fence=self._taken.fence, pause=next(iter(pauses), ""), is_first=is_first
        )
        await self._store.insist(settle)
        self._channel.is_new = self._channel.is_new and not is_first
        OUTCOMES.update(result.status for result in results)
        self._taken.health.sent += sum(result.status == "sent" for result in results)
        if pauses and self._channel.status == "connected":
            self._channel.status = "paused"
            # Who resumes it may have changed the token.
            self._memory.pop((self.schema, self.channel_id), None)
            log.error("channel_paused", schema=self.schema, channel=self._channel.name, reason=pauses[0])
