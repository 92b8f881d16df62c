"""One endpoint's lane: take it, claim, deliver, settle, give it back. One coroutine among many of the process."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from django.conf import settings

from config.egress import PinnedUrl, UrlRefused
from tenants.agenda import process_name
from tenants.fields import decrypt
from tenants.lanes.database import LaneDatabase
from tenants.lanes.store import DATABASE_AWAY, LaneStore
from webhooks_app.outbox import events_statement
from webhooks_app.pump import sql
from webhooks_app.pump.outcomes import Answer, Result, result_impossible, result_of
from webhooks_app.pump.redaction import head_redacted
from webhooks_app.pump.request import DeliveryRequest, request_build, secrets_valid
from webhooks_app.pump.transport import Transport
from webhooks_app.wake import endpoints_wake

log = structlog.get_logger(__name__)

SETTLE_EVERY: Final = 0.05
SETTLE_AT: Final = 200
# While answers are outstanding, new work is looked for when somebody says that there is some, at most every tenth of a
# second; and without a word every second, because the word may have gone to another process and retries come due.
LOOK_AFTER_WORD: Final = 0.1
LOOK_EVERY: Final = 1.0
# Settings of the endpoint, and the address behind its name, are at most this old.
RELOAD_EVERY: Final = 5.0
RESOLVE_EVERY: Final = 30.0
COOL_SECONDS: Final = 5
IDLE_SECONDS: Final = 60
# Requests under way: few at first, doubled while all goes well, halved by failures.
WINDOW_FIRST: Final = 8
DISABLED_EVENT: Final = "webhook.disabled"

# What became of this process's attempts since they were last passed on to the metrics.
OUTCOMES: Counter[str] = Counter()


class LaneLost(Exception):
    """Another process owns the lane now."""


class Slots:
    """How many requests this process has under way, over all endpoints."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def room(self, window: int, own: int) -> int:
        """How many more an endpoint with `own` requests under way may start. One is always possible."""
        return max(min(window - own, self.limit - self.used), 0 if own else 1)


@dataclass(frozen=True, slots=True)
class Target:
    """The endpoint as it was read last. Exactly one of `pinned` and `refused` says something."""

    surface: str
    name: str
    secrets: dict[str, str]
    previous_until: datetime | None
    retry_limit: int
    timeout: int
    is_active: bool
    is_deleted: bool
    url: str
    pinned: PinnedUrl | None
    refused: str
    resolved_at: float


class EndpointLane:
    """Delivers one endpoint's events until none is due, it is switched off, or the process stops."""

    def __init__(
        self, *, schema: str, endpoint_id: int, database: LaneDatabase, transport: Transport, slots: Slots
    ) -> None:
        self.schema = schema
        self.endpoint_id = endpoint_id
        self._sql = sql.statements(schema)
        self._store = LaneStore(schema=schema, lane_id=endpoint_id, database=database)
        self._transport = transport
        self._slots = slots
        self._stopping = False
        self._told = False
        self._work = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = 0
        self._results: list[Result] = []
        self._settled_at = 0.0
        self._target: Target | None = None

    def look(self) -> None:
        """New events have been written: look for them while answers are outstanding."""
        self._told = True
        self._work.set()

    def stop(self) -> None:
        """Claim nothing more; what is under way is finished and settled."""
        self._stopping = True
        self._work.set()

    async def run(self) -> bool:
        """Take the lane and pump it. Returns False when somebody else holds it, or the organisation is suspended."""
        if not await self._take():
            return False
        heartbeat = asyncio.create_task(self._heartbeat())
        try:
            while True:
                outcome = await self._pump()
                if outcome == "ended" or not await self._release(outcome) or not await self._take():
                    return True
        except LaneLost:
            log.warning("webhook_lane_lost", schema=self.schema, endpoint=self.endpoint_id)
            return True
        finally:
            heartbeat.cancel()

    # -- the lease -----------------------------------------------------------------------------------------------

    async def _take(self) -> bool:
        rows = await self._store.execute(
            self._sql.take, {"key": str(self.endpoint_id), "owner": process_name(), "lease": self._lease}
        )
        if not rows:
            return False
        self._lane, self._fence, state, self._was_abandoned = rows[0]
        self._window = max(1, min(int(state.get("window", WINDOW_FIRST)), settings.WEBHOOK_CONCURRENCY))
        self._idle_since = float(state.get("idle_since", 0.0))
        return True

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(settings.DISPATCH_LEASE_SECONDS / 3)
            params = {"lane": self._lane, "fence": self._fence, "lease": self._lease}
            try:
                extended = await self._store.execute(sql.EXTEND, params)
            except DATABASE_AWAY as error:
                # The next beat tries again; without one in time the lease ends and claims are refused by their guard.
                log.warning("lease_not_extended", schema=self.schema, endpoint=self.endpoint_id, error=str(error))
                continue
            if not extended:
                self.stop()

    async def _release(self, outcome: str) -> bool:
        """Give the lane back. True when deliveries came in meanwhile and it should be taken again at once."""
        look_again, idle_since = self._next_look(outcome)
        rows = await self._store.execute(
            self._sql.release,
            {
                "endpoint": self.endpoint_id,
                "lane": self._lane,
                "fence": self._fence,
                "state": orjson.dumps({"window": self._window, "idle_since": idle_since}).decode(),
                "look_again": None if look_again is None else timedelta(seconds=look_again),
            },
        )
        return bool(rows and rows[0][0]) and outcome == "worked" and not self._stopping

    def _next_look(self, outcome: str) -> tuple[float | None, float]:
        """As the engine's lanes: idle for good only after a whole minute without work (docs/engine.md)."""
        if outcome == "worked":
            return (0 if self._stopping else COOL_SECONDS), 0.0
        now = time.time()
        since = self._idle_since or now
        return (None, 0.0) if now - since >= IDLE_SECONDS else (IDLE_SECONDS, since)

    # -- the pump ------------------------------------------------------------------------------------------------

    async def _pump(self) -> str:
        """Deliver until nothing is due. Returns worked, nothing, off (switched off) or ended (deleted)."""
        await self._load()
        if self._was_abandoned:
            await self._store.execute(self._sql.recover, {"endpoint": self.endpoint_id, "fence": self._fence})
        if self._loaded.is_deleted:
            return await self._end()
        worked, drained, looked_at = False, False, 0.0
        try:
            while True:
                now = time.monotonic()
                if now - self._loaded_at > RELOAD_EVERY:
                    await self._load()
                off = not self._loaded.is_active
                room = self._room()
                looks = not drained or now - looked_at >= (LOOK_AFTER_WORD if self._told else LOOK_EVERY)
                if room and not off and not self._stopping and looks:
                    looked_at, self._told = now, False
                    rows = await self._claim(room)
                    worked, drained = worked or bool(rows), len(rows) < room
                    self._start(rows)
                if not self._open and (drained or self._stopping or off):
                    await self._settle()
                    if drained and not off:
                        await self._store.execute(self._sql.postpone, {"endpoint": self.endpoint_id})
                    return "off" if off else "worked" if worked else "nothing"
                await self._wait()
                if self._results and self._may_settle():
                    await self._settle()
        finally:
            # Whatever ended the pump, answers that are still under way are waited for and written down.
            while self._open:
                await self._wait()
            await self._settle()

    def _room(self) -> int:
        room = self._slots.room(self._window, self._open)
        return 0 if self._open and room < max(1, self._window // 4) else room

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

    @property
    def _loaded(self) -> Target:
        if self._target is None:
            raise LaneLost
        return self._target

    async def _load(self) -> None:
        rows = await self._store.execute(self._sql.endpoint, {"endpoint": self.endpoint_id})
        if not rows:
            raise LaneLost
        surface, name, url, secrets, previous_until, retry_limit, timeout, is_active, is_deleted = rows[0]
        pinned, refused, resolved_at = await self._resolve(url)
        self._target = Target(
            surface,
            name,
            json.loads(decrypt(secrets)),
            previous_until,
            retry_limit,
            timeout,
            is_active,
            is_deleted,
            url,
            pinned,
            refused,
            resolved_at,
        )
        self._loaded_at = time.monotonic()

    async def _resolve(self, url: str) -> tuple[PinnedUrl | None, str, float]:
        """The address behind `url`, at most half a minute old; the look-up waits in a thread."""
        now, known = time.monotonic(), self._target
        if known and known.url == url and known.pinned and now - known.resolved_at < RESOLVE_EVERY:
            return known.pinned, "", known.resolved_at
        try:
            return await self._transport.resolve(url), "", now
        except UrlRefused as error:
            return None, error.message, now

    async def _claim(self, limit: int) -> list[tuple[Any, ...]]:
        rows = await self._store.execute(
            self._sql.claim,
            {"endpoint": self.endpoint_id, "lane": self._lane, "fence": self._fence, "limit": limit},
        )
        return sorted(rows)

    def _start(self, rows: list[tuple[Any, ...]]) -> None:
        self._open += len(rows)
        self._slots.used += len(rows)
        for row in rows:
            task = asyncio.create_task(self._deliver(row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, row: tuple[Any, ...]) -> None:
        delivery_id, uuid, _, attempts, *_ = row
        try:
            result = await self._attempt(row)
        except Exception as error:
            # A poison row must not stop the lane: it fails alone, with its reason; the log has the traceback.
            log.exception("delivery_not_prepared", schema=self.schema, delivery=uuid)
            why = f"The delivery could not be prepared ({type(error).__name__})."
            result = result_impossible(delivery_id=delivery_id, why=why, now=time.time())
        self._results.append(result)
        self._open -= 1
        self._slots.used -= 1
        if not self._open or len(self._results) == 1 or len(self._results) >= SETTLE_AT:
            self._work.set()

    async def _attempt(self, row: tuple[Any, ...]) -> Result:
        delivery_id, uuid, event_type, attempts, data, happened_at, is_test = row
        target, now = self._loaded, time.time()
        if data is None:
            return result_impossible(delivery_id=delivery_id, why="The event is not kept any more.", now=now)
        payload = orjson.loads(data)
        if payload.get("removed") is True:
            return result_impossible(delivery_id=delivery_id, why="The payload is not kept any more.", now=now)
        if target.pinned is None:
            answer = Answer(now, 0.0, error=target.refused)
        else:
            request = self._request(target, uuid, event_type, payload, happened_at, is_test, int(now))
            answer = await self._transport.post(
                target.pinned, headers=request.headers, body=request.body, timeout=target.timeout
            )
        return result_of(
            delivery_id=delivery_id, attempts=attempts, retry_limit=target.retry_limit, answer=answer, now=time.time()
        )

    def _request(
        self,
        target: Target,
        uuid: str,
        event_type: str,
        data: dict[str, Any],
        happened_at: datetime,
        is_test: bool,
        timestamp: int,
    ) -> DeliveryRequest:
        valid = secrets_valid(target.secrets, target.previous_until, datetime.now(UTC))
        return request_build(
            surface=target.surface,
            secrets_valid=valid,
            delivery_uuid=uuid,
            event_type=event_type,
            data=data,
            happened_at=happened_at,
            is_test=is_test,
            timestamp=timestamp,
        )

    # -- settling ------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Write the results down. They exist nowhere else, so a database that is away is waited for."""
        results, self._results = self._results, []
        self._settled_at = time.monotonic()
        if not results:
            return
        told = await self._store.insist(lambda: self._write(results))
        self._adapt(results)
        OUTCOMES.update(result.status for result in results)
        if told:
            await asyncio.to_thread(endpoints_wake, self.schema, told)

    def _adapt(self, results: list[Result]) -> None:
        if all(result.status == "succeeded" for result in results):
            self._window = min(self._window * 2, settings.WEBHOOK_CONCURRENCY)
        elif any(result.answer.code is None or result.answer.code >= 500 for result in results):
            self._window = max(1, self._window // 2)

    async def _write(self, results: list[Result]) -> list[int]:
        """Returns the endpoints that are to be told of this one's end."""
        gone = next((result for result in results if result.is_gone), None)
        failed = any(result.status != "succeeded" for result in results)
        async with self._store.database.connection() as connection, connection.transaction():
            await connection.execute(
                self._sql.settle,
                {"endpoint": self.endpoint_id, "fence": self._fence, "results": self._rows(results)},
            )
            if not failed:
                return []
            reason = gone.error if gone else f"Nothing has arrived for {settings.WEBHOOK_DISABLE_DAYS} days."
            cursor = await connection.execute(
                self._sql.disable,
                {
                    "endpoint": self.endpoint_id,
                    "reason": reason,
                    "gone": gone is not None,
                    "patience": timedelta(days=settings.WEBHOOK_DISABLE_DAYS),
                },
            )
            disabled = await cursor.fetchone()
            if disabled is None:
                return []
            log.error("webhook_disabled", schema=self.schema, endpoint=self.endpoint_id, reason=reason)
            number, uuid, name, url = disabled
            webhook = {"id": uuid, "number": number, "name": name, "url": url, "reason": reason}
            cursor = await connection.execute(events_statement(self.schema), _event(DISABLED_EVENT, webhook))
            row = await cursor.fetchone()
        # The loop sees it with its next look.
        self._loaded_at = float("-inf")
        return list(row[0]) if row and row[0] else []

    def _rows(self, results: list[Result]) -> str:
        hidden = [*self._loaded.secrets.values()]
        return orjson.dumps(
            [
                {
                    "id": result.id,
                    "status": result.status,
                    "code": result.answer.code,
                    "latency": round(result.answer.latency * 1000),
                    "error": result.error,
                    "head": head_redacted(result.answer.head, hidden),
                    "delay": result.delay,
                    "at": result.answer.at,
                }
                for result in results
            ]
        ).decode()

    async def _end(self) -> str:
        """A deleted endpoint: what waits is cancelled in batches, then its lane goes too."""
        while await self._cancel():
            pass
        await self._store.execute(sql.END, {"lane": self._lane, "fence": self._fence})
        return "ended"

    async def _cancel(self) -> bool:
        async with self._store.database.connection() as connection:
            cursor = await connection.execute(self._sql.cancel, {"endpoint": self.endpoint_id})
            return bool(cursor.rowcount > 0)


def _event(kind: str, webhook: dict[str, Any]) -> dict[str, Any]:
    row = {"place": 0, "type": kind, "key": webhook["id"], "channel_id": None, "is_test": False}
    return {"events": orjson.dumps([row | {"data": {"webhook": webhook}}]).decode()}
