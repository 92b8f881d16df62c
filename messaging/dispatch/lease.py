"""The right to pump one channel: taken with a first batch, kept alive, given back together with the last results."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings

from messaging.dispatch import sql
from messaging.dispatch.channel_state import ChannelState, next_utc_day
from messaging.dispatch.health import HealthNotes
from messaging.dispatch.memory import Known, Memory
from messaging.dispatch.outcomes import Result
from messaging.dispatch.pacing import Pace, Pacer
from messaging.dispatch.store import DATABASE_AWAY, Store
from messaging.dispatch.together import Ask

log = structlog.get_logger(__name__)

# A lane that worked is looked at again after this, and is idle only after a minute without work.
COOL_SECONDS = 5
IDLE_SECONDS = 60
# Columns of the lease in the answer to TAKE; a claimed message follows, in the columns of CLAIM.
_LEASE_COLUMNS = 6
_ATTEMPTS = itertools.count(1)


def urgency(row: tuple[Any, ...]) -> tuple[int, int]:
    """The order in which claimed messages leave: priority, then age."""
    return row[4], row[0]


@dataclass(frozen=True, slots=True)
class Taken:
    """The lease: the lane's row, our fencing number, what the previous owner left, and the first batch.

    `asked` is how many messages the first batch might have had (0: none were asked for). `channel` is the channel when
    it is remembered and has not changed since.
    """

    lane: int
    fence: int
    pace: Pace
    idle_since: float
    was_abandoned: bool
    has_due: bool
    asked: int
    rows: list[tuple[Any, ...]]
    channel: ChannelState | None
    health: HealthNotes


class Lease:
    """Takes, extends and gives back one lane's lease. `memory` is what the process knows of its channels."""

    def __init__(self, *, store: Store, owner: str, memory: Memory) -> None:
        self._store = store
        self._owner = owner
        self._memory = memory
        self._key = (store.schema, store.channel_id)
        self.taken: Taken

    # -- what is known of the channel ----------------------------------------------------------------------------

    def remember(self, channel: ChannelState) -> None:
        """For the next lease of this process."""
        self._memory[self._key] = Known(channel, time.monotonic())

    def forget(self) -> None:
        """The channel is about to change without its row telling."""
        self._memory.pop(self._key, None)

    def _remembered(self) -> ChannelState | None:
        """The channel as it was; None when it must be read, such as to count its daily cap."""
        known = self._memory.get(self._key)
        if known is None or known.channel.remaining_today is not None:
            return None
        return known.channel if known.channel.status == "connected" and not known.channel.is_new else None

    # -- the lease -----------------------------------------------------------------------------------------------

    async def take(self) -> bool:
        """Take it, with a first batch when the channel is known well enough to say how many it may send.

        False when somebody else holds it, or nothing may be sent.
        """
        remembered = self._remembered()
        batch = min(settings.DISPATCH_BATCH, settings.DISPATCH_CONCURRENCY)
        asked = 0 if remembered is None else Pacer(remembered.rate).batch_size(batch)
        # A name of this attempt alone: should its answer be lost, nothing else is called back.
        owner = f"{self._owner[-66:]}:{next(_ATTEMPTS)}"
        try:
            rows = await self._store.take(Ask(self._store.channel_id, owner, asked))
        except DATABASE_AWAY:
            recall = {
                "schema": self._store.schema,
                "key": str(self._store.channel_id),
                "channel": self._store.channel_id,
                "owner": owner,
            }
            await self._store.insist(lambda: self._store.execute(self._store.sql.recall_taken, recall))
            raise
        if not rows:
            return False
        lane, fence, state, was_abandoned, has_due, version = rows[0][:_LEASE_COLUMNS]
        claimed = [row[_LEASE_COLUMNS:] for row in rows if row[_LEASE_COLUMNS] is not None]
        claimed.sort(key=urgency)
        is_same = remembered is not None and remembered.version == version
        self.taken = Taken(
            lane,
            fence,
            Pace.of(state),
            state.get("idle_since", 0.0),
            was_abandoned,
            has_due,
            asked,
            claimed,
            remembered if is_same else None,
            HealthNotes.of(state),
        )
        return True

    async def keep(self, lost: Callable[[], None]) -> None:
        """Extend it until cancelled; `lost` is called when it is somebody else's."""
        lease = settings.DISPATCH_LEASE_SECONDS
        while True:
            params = {"lane": self.taken.lane, "fence": self.taken.fence, "lease": timedelta(seconds=lease)}
            try:
                extended = await self._store.execute(sql.EXTEND, params)
            except DATABASE_AWAY as error:
                # The next beat tries again; without one in time the lease ends and claims are refused by their guard.
                log.warning(
                    "lease_not_extended",
                    schema=self._store.schema,
                    channel=self._store.channel_id,
                    error=str(error),
                )
            else:
                if not extended:
                    lost()
            await asyncio.sleep(lease / 3)

    async def give_back(self, outcome: str, *, pacer: Pacer, is_stopping: bool, results: Sequence[Result] = ()) -> bool:
        """Write the last `results` down and give the lane back, both or neither; safe to repeat.

        `outcome` is worked, nothing, paused or capped. True when work came in meanwhile and the lane should be taken
        again at once.
        """
        look_again, idle_since = self._next_look(outcome, is_stopping)
        await self.note_health(outcome)
        state = {**pacer.pace().state(), "idle_since": idle_since, "health": self.taken.health.state()}
        release = {
            "channel": self._store.channel_id,
            "lane": self.taken.lane,
            "fence": self.taken.fence,
            "state": state,
            "look_again": look_again,
            "blocked_until": next_utc_day(datetime.now(UTC)) if outcome == "capped" else None,
        }
        has_more = await self._store.give_back(release, results)
        return has_more and outcome not in {"paused", "capped"} and not is_stopping

    async def note_health(self, outcome: str) -> None:
        """Tell those who watch how the channel is doing, when that is due."""
        notes = self.taken.health
        if not notes.is_due(outcome):
            return
        params = {"schema": self._store.schema, "channel": self._store.channel_id, **notes.params(outcome)}
        rows = await self._store.execute(self._store.sql.health, params)
        if rows:
            notes.written(sent=params["sent"], queued=rows[0][0], outcome=outcome)

    def _next_look(self, outcome: str, is_stopping: bool) -> tuple[float | None, float]:
        """(seconds until the lane is looked at again, or None for "when something wakes it"; idle since when)."""
        if outcome in {"paused", "capped"}:
            return None, 0.0
        if outcome == "worked":
            return (0 if is_stopping else COOL_SECONDS), 0.0
        now = time.time()
        since = self.taken.idle_since or now
        # Idle for good only after a whole minute without work: see "No lost wake-up" in docs/engine.md.
        return (None, 0.0) if now - since >= IDLE_SECONDS else (IDLE_SECONDS, since)
