"""Waking the lanes of webhook endpoints, see `tenants.lanes.wake`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tenants.agenda import WEBHOOK_LANE, lane_waker
from tenants.lanes.wake import lanes_woken, wake_once


def endpoints_wake(schema: str, endpoint_ids: Iterable[int]) -> None:
    """Tell a worker that these endpoints have deliveries. Called after the commit that wrote them."""
    for endpoint_id in endpoint_ids:
        wake_once(WEBHOOK_LANE, schema, endpoint_id, endpoint_wake_again)


def endpoints_woken(schema: str, endpoint_id: int) -> Iterator[tuple[str, int]]:
    """For the task that a wake-up starts: its own endpoint and all others that are woken."""
    return lanes_woken(WEBHOOK_LANE, schema, endpoint_id, endpoint_wake_again)


def endpoint_wake_again(schema: str, endpoint_id: int) -> None:
    """The agenda's wake-up: always sent, because an earlier one may be lost."""
    from webhooks_app.tasks import pump

    pump.delay(schema, endpoint_id)


lane_waker(WEBHOOK_LANE, endpoint_wake_again)
