"""Waking a channel's lane, see `tenants.lanes.wake`."""

from __future__ import annotations

from tenants.agenda import LANE, lane_waker
from tenants.lanes.wake import wake_once


def lane_wake(schema: str, channel_id: int) -> None:
    """Tell a dispatch worker that the channel has work. Called after the commit that made the work."""
    wake_once(LANE, schema, channel_id, lane_wake_again)


def lane_wake_again(schema: str, channel_id: int) -> None:
    """The agenda's wake-up: always sent, because an earlier one may be lost."""
    from messaging.dispatch.tasks import pump

    pump.delay(schema, channel_id)


lane_waker(LANE, lane_wake_again)
