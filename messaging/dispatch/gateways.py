"""Addresses that organisations give for their gateways: checked against our own network, resolved once, then pinned."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from config.egress import PinnedUrl, UrlRefused, networks_read, resolve_public
from messaging.drivers.base import SendError

# A look-up that is older is made again: gateways move.
RESOLVE_EVERY: Final = 30.0
_KNOWN_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Gateway:
    """An address as it was given."""

    url: str


_known: dict[str, tuple[float, PinnedUrl]] = {}


async def gateway_pin(gateway: Gateway) -> PinnedUrl:
    """The one address that requests to the gateway may go to, at most half a minute old.

    Raises `SendError` when it must not be reached, or its name is not known at the moment: nothing has left then.
    """
    now = time.monotonic()
    hit = _known.get(gateway.url)
    if hit is not None and now - hit[0] < RESOLVE_EVERY:
        return hit[1]
    networks = networks_read(settings.EGRESS_ALLOWED_NETWORKS)
    try:
        pinned = await asyncio.to_thread(resolve_public, gateway.url, allowed_networks=networks)
    except UrlRefused as error:
        reason = f"The gateway's address cannot be used: {error.message}"
        raise SendError("gateway_refused", reason, retryable=True) from error
    if len(_known) >= _KNOWN_MAX:
        _known.clear()
    _known[gateway.url] = (now, pinned)
    return pinned
