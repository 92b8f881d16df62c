"""One lane: take it, claim, send, settle, give it back. Runs as one coroutine among many in the engine's loop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
import structlog
from django.conf import settings

from config.egress import PinnedUrl
from messaging.dispatch.channel_state import ChannelState, channel_state
from messaging.dispatch.congestion import Congestion
from messaging.dispatch.files import FileResolver
from messaging.dispatch.gateways import gateway_pin
from messaging.dispatch.lease import Lease, urgency
from messaging.dispatch.memory import RELOAD_EVERY, Memory
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
from messaging.dispatch.together import stale_after
from messaging.dispatch.transport import NotSent, Transport
from messaging.drivers.base import Ambiguous, Driver, HttpRequest, Outgoing, SendError
from messaging.media.references import MARK
from tenants.lanes.database import LaneDatabase

log = structlog.get_logger(__name__)

LOST = "The worker stopped before the outcome was known."
UNCONFIRMED = "Whether the provider took it could not be confirmed; not sent again, to avoid sending it twice."
SETTLE_EVERY = 0.05
# While answers are outstanding, new work is looked for when somebody says that there is some, at most this often; and
# without a word this often, because the word may have gone to another process. Looking all the time would make a slow
# database slower: a lane with one message would look again and again while it waits for its answer.
LOOK_AFTER_WORD = 0.1
LOOK_EVERY = 1.0
SETTLE_AT = 200
DUE_LIMIT = 5000
# A doubt that ended longer ago than this was not looked at in time: the platform was away.
LATE = timedelta(seconds=30)

# What became of this process's messages since the engine last passed it on to the metrics.
OUTCOMES: Counter[str] = Counter()


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
        database: LaneDatabase,
        transport: Transport,
        owner: str,
        memory: Memory | None = None,
        congestion: Congestion | None = None,
    ) -> None:
        self.schema = schema
        self.channel_id = channel_id
        self._store = Store(schema=schema, channel_id=channel_id, database=database)
        self._files = FileResolver(store=self._store, transport=transport)
        self._transport = transport
        self._lease = Lease(store=self._store, owner=owner, memory={} if memory is None else memory)
        self._congestion = congestion or Congestion(settings.DISPATCH_CONCURRENCY)
        self._stopping = False
        self._told = False
        self._work = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        # Claimed messages whose result is not known yet, and how many of them have left.
        self._open = 0
        self._under_way = 0
        self._results: list[Result] = []
        self._settled_at = 0.0
        self._channel: ChannelState

    def look(self) -> None:
        """New messages have been queued: look for them while answers are outstanding."""
        self._told = True
        self._work.set()

    def stop(self) -> None:
        """Claim nothing more; what is under way is finished and settled."""
        self._stopping = True
        self._work.set()

    async def run(self) -> bool:
        """Take the lane and pump it. Returns False when somebody else holds it, or nothing may be sent."""
        if not await self._store.insist(self._lease.take):
            return False
        # Most leases are given back long before their first heartbeat: it costs them one timer.
        loop = asyncio.get_running_loop()
        heartbeats: list[asyncio.Task[None]] = []
        timer = loop.call_later(
            settings.DISPATCH_LEASE_SECONDS / 3,
            lambda: heartbeats.append(loop.create_task(self._lease.keep(self.stop))),
        )
        try:
            while True:
                outcome = await self._pump_through()
                if not await self._give_back(outcome):
                    return True
                if not await self._store.insist(self._lease.take):
                    return True
        except LaneLost:
            log.warning("lane_lost", schema=self.schema, channel=self.channel_id)
            return True
        finally:
            timer.cancel()
            for heartbeat in heartbeats:
                heartbeat.cancel()

    async def _give_back(self, outcome: str) -> bool:
        """Settle what is left and give the lane back. True when work came in meanwhile."""
        if self._results and (self._channel.is_new or not all(result.is_plain for result in self._results)):
            await self._settle()
            outcome = self._blocked() or outcome
        results, self._results = self._results, []
        self._count(results)
        give_back = partial(
            self._lease.give_back, outcome, pacer=self._pacer, is_stopping=self._stopping, results=results
        )
        return await self._store.insist(give_back)

    # -- the pump ------------------------------------------------------------------------------------------------

    async def _pump_through(self) -> str:
        """Pump; when the database goes away meanwhile, wait for it and have the lane looked at again."""
        try:
            return await self._pump()
        except DATABASE_AWAY as error:
            # What had left is settled by now. A claim may have been committed without us knowing.
            log.warning("lane_waits_for_database", schema=self.schema, channel=self.channel_id, error=str(error))
            params = {"channel": self.channel_id, "fence": self._lease.taken.fence}
            await self._store.insist(lambda: self._store.execute(self._store.sql.recall, params))
            return "worked"

    async def _pump(self) -> str:
        """Send until nothing is left. Returns worked, nothing, paused or capped; the last results wait for the end."""
        taken, rows = self._lease.taken, self._lease.taken.rows
        self._pacer = Pacer(0, taken.pace)
        if taken.channel is not None:
            self._know(taken.channel)
        else:
            await self._load()
        if taken.was_abandoned or taken.has_due:
            await self._recover()
            await self._take_up()
        # What came in after the claim is seen when the lane is given back, if not before.
        drained = len(rows) < taken.asked and not taken.has_due
        worked, looked_at = bool(rows), time.monotonic() if taken.asked else 0.0
        try:
            self._start(rows)
            while True:
                if not self._open and (drained or self._stopping or self._blocked()):
                    return self._blocked() or ("worked" if worked else "nothing")
                now = time.monotonic()
                if now - self._loaded_at > RELOAD_EVERY:
                    await self._load()
                    await self._take_up()
                    await self._lease.note_health("worked")
                room = 0 if self._stopping or self._blocked() else self._room()
                looks = not drained or now - looked_at >= (LOOK_AFTER_WORD if self._told else LOOK_EVERY)
                if room and looks:
                    looked_at, self._told = now, False
                    rows = await self._claim(room)
                    worked = worked or bool(rows)
                    drained = len(rows) < room
                    self._start(rows)
                await self._wait()
                is_last = not self._open and (drained or self._stopping)
                if self._results and self._may_settle() and not is_last:
                    await self._settle()
        except BaseException:
            await self._finish()
            raise

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
        batch = self._batch()
        if self._pacer.is_limited and self._open - self._under_way >= batch:
            return 0
        most = self._congestion.limit
        room = min(batch, most - self._open)
        if self._open and room < min(batch, max(1, most // 4)):
            return 0
        remaining = self._channel.remaining_today
        return room if remaining is None else min(room, remaining)

    def _batch(self) -> int:
        return self._pacer.batch_size(settings.DISPATCH_BATCH)

    def _may_settle(self) -> bool:
        late = time.monotonic() - self._settled_at > SETTLE_EVERY
        return late or not self._open or len(self._results) >= SETTLE_AT

    async def _wait(self) -> None:
        """Sleep until enough answers have come in, or it is time to look or settle."""
        if not self._open:
            return
        self._work.clear()
        try:
            await asyncio.wait_for(self._work.wait(), SETTLE_EVERY if self._results or self._told else LOOK_EVERY)
        except TimeoutError:
            return

    async def _load(self) -> None:
        rows = await self._store.execute(self._store.sql.channel, {"channel": self.channel_id})
        if not rows:
            raise LaneLost
        self._know(channel_state(rows[0], now=datetime.now(UTC)))
        if self._channel.remaining_today is not None:
            self._channel.remaining_today = max(0, self._channel.remaining_today - self._open - len(self._results))

    def _know(self, channel: ChannelState) -> None:
        self._channel, self._loaded_at = channel, time.monotonic()
        self._pacer.set_rate(channel.rate)
        self._lease.remember(channel)

    async def _recover(self) -> None:
        """What a dead owner left behind becomes doubt."""
        await self._store.execute(
            self._store.sql.recover,
            {
                "channel": self.channel_id,
                "fence": self._lease.taken.fence,
                "abandoned": self._lease.taken.was_abandoned,
                "window": timedelta(seconds=settings.IN_DOUBT_WINDOW_SECONDS),
                "stale": stale_after(),
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
        taken = self._lease.taken
        rows = await self._store.execute(
            self._store.sql.claim,
            {"lane": taken.lane, "fence": taken.fence, "channel": self.channel_id, "limit": limit},
        )
        rows.sort(key=urgency)
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
        message_id, *_, held = row
        result = result_suppressed(message_id=message_id, scope=held) if held is not None else await self._sent(row)
        self._results.append(result)
        self._open -= 1
        if not self._open or len(self._results) == 1 or len(self._results) >= SETTLE_AT:
            self._work.set()

    async def _sent(self, row: tuple[Any, ...]) -> Result:
        """Prepare the message, let it leave in its turn, and tell what became of it."""
        message_id, uuid, address, content, _, attempts, reply_to, expires_at, _ = row
        driver = self._channel.driver
        try:
            request, pinned = await self._prepared(driver, uuid, address, content, reply_to)
        except SendError as error:
            return result_refused(message_id=message_id, address=address, attempts=attempts, error=error)
        except Exception as error:
            # A poison row must not stop the lane: it fails alone, with its reason; the log has the traceback.
            log.exception("message_not_prepared", schema=self.schema, message=uuid)
            refusal = SendError("internal", f"The message could not be prepared ({type(error).__name__}).")
            return result_refused(message_id=message_id, address="", attempts=attempts, error=refusal)
        departure = await self._pacer.turn()
        self._under_way += 1
        # A slow provider's answers come too late to say that there is room again.
        if departure.is_paced and self._open - self._under_way == self._batch() // 2:
            self._work.set()
        try:
            if expires_at is not None and expires_at <= departure.left_at:
                departure.never_left = True
                return result_expired(message_id=message_id)
            response = await self._transport.send(request, pinned)
            sent = driver.read_send(response)
            departure.was_taken = True
            return result_sent(message_id=message_id, sent=sent, at=departure.left_at)
        except NotSent:
            departure.never_left = True
            return result_unsent(message_id=message_id, attempts=attempts)
        except SendError as error:
            return result_refused(message_id=message_id, address=address, attempts=attempts, error=error)
        except Ambiguous as doubt:
            return result_in_doubt(message_id=message_id, window=settings.IN_DOUBT_WINDOW_SECONDS, why=str(doubt))
        except Exception as error:
            # The request has left, so an answer that we cannot read is a doubt and not a failure.
            log.exception("answer_not_read", schema=self.schema, message=uuid)
            why = f"Unreadable answer: {error}"
            return result_in_doubt(message_id=message_id, window=settings.IN_DOUBT_WINDOW_SECONDS, why=why)
        finally:
            self._under_way -= 1
            self._pacer.ended(departure)

    async def _prepared(
        self, driver: Driver, uuid: str, address: str, content: str, reply_to: str
    ) -> tuple[HttpRequest, PinnedUrl | None]:
        """The request, with files where the provider can have them, and the checked address of a gateway."""
        info, gateway = self._channel.info, self._channel.gateway
        parsed = orjson.loads(content)
        if MARK in content:
            parsed = await self._files.resolve(driver, info, parsed)
        outgoing = Outgoing(uuid, address, parsed, driver.address_kind_of(address), reply_to)
        return driver.build_send(info, outgoing), None if gateway is None else await gateway_pin(gateway)

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
            self._store.settle, results, fence=self._lease.taken.fence, pause=next(iter(pauses), ""), is_first=is_first
        )
        await self._store.insist(settle)
        self._channel.is_new = self._channel.is_new and not is_first
        self._count(results)
        if pauses and self._channel.status == "connected":
            self._channel.status = "paused"
            # Who resumes it may have changed the token.
            self._lease.forget()
            log.error("channel_paused", schema=self.schema, channel=self._channel.name, reason=pauses[0])

    def _count(self, results: Sequence[Result]) -> None:
        OUTCOMES.update(result.status for result in results)
        self._lease.taken.health.sent += sum(result.status == "sent" for result in results)
