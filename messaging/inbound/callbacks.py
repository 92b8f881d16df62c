"""Plain HTTP calls of gateways: which channel they are for, and whether the caller knows its token."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from django_tenants.utils import schema_context

from messaging.drivers.base import ChannelInfo, Route
from messaging.drivers.callbacks import CALLBACK_TOKEN, Callback, CallbackAbout, CallbackDriver
from messaging.drivers.registry import drivers
from messaging.inbound.routing import Target, routes_resolve
from messaging.inbound.signatures import token_is_valid
from messaging.models import Channel
from messaging.provider_calls import info_of

# A new token or setting is known on every process after this time.
_KNOWN_SECONDS: Final = 2.0
_KNOWN_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class CallbackChannel:
    """The channel behind an address, with the driver bound to it."""

    organization_id: int
    info: ChannelInfo
    driver: CallbackDriver

    def body(self, *, about: CallbackAbout, query: str, content_type: str, body: bytes) -> bytes:
        """The call in the form in which it is stored."""
        callback = Callback(about, query, content_type, body, datetime.now(UTC), secrets.token_hex(12))
        return orjson.dumps(self.driver.callback_envelope(self.info, callback))

    @property
    def answer(self) -> str:
        """What the gateway wants to read."""
        return self.driver.callback_answer(self.info)


_cache: dict[str, tuple[float, CallbackChannel | None]] = {}


def callback_channel(*, external_id: str, token: str) -> CallbackChannel | None:
    """The channel that takes calls at this address; None for a wrong token and for no such channel alike."""
    found = _known(external_id)
    expected = found.info.secrets.get(CALLBACK_TOKEN, "") if found is not None else ""
    # Compared in any case, so that the time does not tell which channels there are.
    is_right = token_is_valid(token, (str(expected) or secrets.token_urlsafe(32),))
    return found if is_right else None


def _known(external_id: str) -> CallbackChannel | None:
    now = time.monotonic()
    hit = _cache.get(external_id)
    if hit is not None and hit[0] > now:
        return hit[1]
    found = _load(external_id)
    if found is not None:
        if len(_cache) >= _KNOWN_MAX:
            _cache.clear()
        _cache[external_id] = (now + _KNOWN_SECONDS, found)
    return found


def _load(external_id: str) -> CallbackChannel | None:
    routes = {
        Route(driver.route_kind, external_id): driver
        for driver in drivers().values()
        if isinstance(driver, CallbackDriver)
    }
    for route, targets in routes_resolve(routes).items():
        for target in targets:
            found = _of_target(target)
            if found is not None and found.info.external_id == route.external_id:
                return found
    return None


def _of_target(target: Target) -> CallbackChannel | None:
    if target.channel_id is None:
        return None
    with schema_context(target.schema):
        channel = Channel.objects.filter(pk=target.channel_id).first()
        if channel is None:
            return None
        info = info_of(channel)
        driver = drivers()[channel.kind].bound_to(info)
    return CallbackChannel(target.organization_id, info, driver) if isinstance(driver, CallbackDriver) else None


def cache_clear() -> None:
    """Forget what is remembered; for tests."""
    _cache.clear()
