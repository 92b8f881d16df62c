"""The pump inside a worker process: every endpoint's lane on one event loop, with one pool of connections."""

from __future__ import annotations

import threading

from django.conf import settings

from config.metrics import counter_add
from tenants.lanes.database import LaneDatabase
from tenants.lanes.runtime import LaneRuntime
from webhooks_app.pump.lane import OUTCOMES, EndpointLane, Slots
from webhooks_app.pump.transport import Transport


class Deliverer(LaneRuntime):
    """All endpoints that this process delivers to."""

    def __init__(self) -> None:
        super().__init__(name="webhooks", connections=settings.WEBHOOK_CONNECTIONS)

    async def open(self) -> None:
        self._transport = Transport()
        self._slots = Slots(settings.WEBHOOK_REQUESTS)

    async def close(self) -> None:
        await self._transport.close()

    def lane(self, schema: str, lane_id: int, database: LaneDatabase) -> EndpointLane:
        return EndpointLane(
            schema=schema, endpoint_id=lane_id, database=database, transport=self._transport, slots=self._slots
        )

    def report(self) -> None:
        for outcome in list(OUTCOMES):
            counter_add("griot_webhook_attempts", outcome, OUTCOMES.pop(outcome))


_deliverer: Deliverer | None = None
_lock = threading.Lock()


def deliverer() -> Deliverer:
    """This process's pump, started on first use."""
    global _deliverer
    with _lock:
        if _deliverer is None:
            _deliverer = Deliverer().start()
        return _deliverer


def deliverer_stop() -> None:
    """Stop this process's pump if it runs; the next `deliverer()` starts a new one."""
    global _deliverer
    with _lock:
        current, _deliverer = _deliverer, None
    if current is not None:
        current.stop()
