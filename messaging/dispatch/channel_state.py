"""What a lane knows of its channel: the row, turned into what the driver, the pacer and the caps need."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings

from messaging.dispatch.gateways import Gateway
from messaging.drivers.base import Capability, ChannelInfo, Driver
from messaging.drivers.registry import driver_of
from tenants.fields import decrypt

# Sends per day of a new live number, by days since its first send; afterwards there is no cap of ours.
# It starts at the provider's own 250 a day for new numbers and doubles daily (facts: messaging limits 250 to 100,000).
WARMUP_CAPS: Final = (250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 100_000)


def warmup_day(first_live_send_at: datetime | None, now: datetime) -> int:
    """Whole UTC days since the channel's first live send; 0 on the first day and before it."""
    if first_live_send_at is None:
        return 0
    return max(0, (now.astimezone(UTC).date() - first_live_send_at.astimezone(UTC).date()).days)


def daily_limit(
    *, driver: Driver, is_sandbox: bool, daily_cap: int | None, first_live_send_at: datetime | None, now: datetime
) -> int | None:
    """How many messages the channel may send on the UTC day of `now`; None: no limit.

    A cap set by staff counts for every channel; the warm-up only for live channels of drivers that need one.
    """
    if daily_cap is not None:
        return daily_cap
    if is_sandbox or Capability.WARMUP not in driver.capabilities:
        return None
    day = warmup_day(first_live_send_at, now)
    return WARMUP_CAPS[day] if day < len(WARMUP_CAPS) else None


def next_utc_day(now: datetime) -> datetime:
    """Midnight at the end of the UTC day of `now`."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)


def provider_url(*, is_sandbox: bool) -> str:
    """Where the driver's requests go: the provider, or the sandbox for channels marked so."""
    return str(settings.SANDBOX_URL if is_sandbox else settings.META_GRAPH_URL)


def channel_info(
    *,
    external_id: str,
    account_id: str,
    address: str,
    config: dict[str, Any],
    secrets: dict[str, str],
    is_sandbox: bool,
) -> ChannelInfo:
    """What the driver gets to know of a channel, from the fields of its row."""
    instagram_url = settings.SANDBOX_URL if is_sandbox else settings.INSTAGRAM_GRAPH_URL
    return ChannelInfo(
        external_id=external_id,
        account_id=account_id,
        address=address,
        base_url=provider_url(is_sandbox=is_sandbox),
        config={"graph_version": settings.META_GRAPH_VERSION} | config | {"instagram_graph_url": instagram_url},
        secrets=secrets,
        is_sandbox=is_sandbox,
        callback_url=f"{settings.PUBLIC_BASE_URL}/webhook/callback/{external_id}",
    )


@dataclass(slots=True)
class ChannelState:
    """One channel as its lane sees it. `remaining_today` counts down while the lane sends; None: no cap.

    `gateway` is set when requests go to an address that the organisation gave.
    `version` changes whenever the row does: it is the transaction that wrote it (PostgreSQL's xmin).
    """

    name: str
    status: str
    driver: Driver
    info: ChannelInfo
    rate: int
    remaining_today: int | None
    in_doubt_policy: str
    is_new: bool
    version: str
    gateway: Gateway | None = None


def channel_state(row: tuple[Any, ...], *, now: datetime) -> ChannelState:
    """Build the state from the row of the CHANNEL statement."""
    (
        name,
        kind,
        status,
        is_sandbox,
        external_id,
        account_id,
        address,
        config,
        secrets,
        rate,
        cap,
        policy,
        first,
        version,
        sent,
    ) = row
    driver = driver_of(kind)
    limit = daily_limit(driver=driver, is_sandbox=is_sandbox, daily_cap=cap, first_live_send_at=first, now=now)
    info = channel_info(
        external_id=external_id,
        account_id=account_id,
        address=address,
        config=config,
        secrets=json.loads(decrypt(secrets)) if secrets else {},
        is_sandbox=is_sandbox,
    )
    gateway = driver.gateway_of(info)
    return ChannelState(
        name=name,
        status=status,
        driver=driver.bound_to(info),
        info=info,
        rate=driver.default_rate if rate is None else rate,
        remaining_today=None if limit is None else max(0, limit - sent),
        in_doubt_policy=policy,
        is_new=first is None and not is_sandbox,
        gateway=Gateway(gateway) if gateway else None,
        version=version,
    )
