"""Messages come in over the API while everything fails: singly, in bulk, and for a few seconds later.

The client does what a good client does: it repeats a request under its idempotency key until it is answered. So what it
counts as accepted must be in the database exactly once, however often the answer was lost.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import requests

from bench.faults.scene import LoadedChannel, Scene

BULK = 100
# Enough to keep a channel of 80/s busy through a fault, little enough that the load lasts for the whole run.
BACKLOG = 300
GIVE_UP_SECONDS = 120.0


class Load(threading.Thread):
    """Feeds one channel with `total` messages; `accepted` are the ids that the API gave us."""

    def __init__(self, scene: Scene, channel: LoadedChannel, *, total: int, seed: int) -> None:
        super().__init__(name=f"load {channel.external_id}", daemon=True)
        self.channel = channel
        self.accepted: list[str] = []
        self.ways: Counter[str] = Counter()
        self.repeated = 0
        self.problem: BaseException | None = None
        self.sent = 0
        self._scene = scene
        self._total = total
        self._numbers = 0
        self._dice = random.Random(seed)
        self._session = requests.Session()

    def run(self) -> None:
        try:
            while len(self.accepted) < self._total:
                if len(self.accepted) - self.sent >= BACKLOG:
                    time.sleep(0.1)
                    continue
                self._some(self._total - len(self.accepted))
        except BaseException as error:
            self.problem = error
            raise

    def _some(self, left: int) -> None:
        way = self._dice.choices(("single", "bulk", "scheduled"), (5, 3, 1))[0]
        count = 1 if way == "single" else min(BULK, left)
        numbers = [self._number() for _ in range(count)]
        if way == "single":
            body: dict[str, Any] = {"to": numbers[0], "message": "Hello"}
            ids = [self._post("/api/v1/messages/send", body)["messageId"]]
        else:
            body = {"messageTemplate": "Hello", "recipients": [{"to": number} for number in numbers]}
            if way == "scheduled":
                later = datetime.now(UTC) + timedelta(seconds=self._dice.uniform(2, 8))
                body["scheduleAt"] = later.isoformat()
            ids = self._post("/api/v1/messages/send-bulk", body)["messageIds"]
        if len(ids) != count:
            raise RuntimeError(f"{len(ids)} of {count} were accepted")
        self.accepted += ids
        self.ways[way] += count

    def _number(self) -> str:
        self._numbers += 1
        return f"2296{self._numbers:07d}"

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Repeat under one key until there is an answer that counts."""
        headers = {"X-API-Key": self.channel.api_key, "Idempotency-Key": str(uuid4())}
        body["providerId"] = self.channel.uuid
        end = time.monotonic() + GIVE_UP_SECONDS
        while True:
            try:
                answer = self._session.post(
                    self._scene.instance.base_url + path, json=body, headers=headers, timeout=15
                )
                if answer.ok:
                    result: dict[str, Any] = answer.json()
                    return result
                if answer.status_code < 500 and answer.status_code not in {409, 429}:
                    raise RuntimeError(f"{answer.status_code}: {answer.text[:500]}")
                why = f"{answer.status_code}: {answer.text[:200]}"
            except requests.RequestException as error:
                why = type(error).__name__
            if time.monotonic() > end:
                raise RuntimeError(f"no answer for {GIVE_UP_SECONDS:.0f} s; the last was {why}")
            self.repeated += 1
            time.sleep(0.3)
