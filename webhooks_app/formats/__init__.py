"""Payloads as each surface documents them: pure functions from a neutral event to a JSON object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from webhooks_app.catalogue import Surface
from webhooks_app.formats import gateway, marketing, platform
from webhooks_app.formats.neutral import NeutralEvent
from webhooks_app.payloads import BODY_BYTES, PAYLOAD_BYTES, payload_bounded, size_of

Format = Callable[[NeutralEvent], dict[str, Any]]
_FORMATS: Final[Mapping[str, Format]] = {
    Surface.GATEWAY: gateway.body,
    Surface.MARKETING: marketing.body,
    Surface.TRANSACTIONAL: platform.body,
    Surface.CRM: platform.body,
    Surface.WORKSPACE: platform.body,
}


def body_of(surface: str, event: NeutralEvent) -> bytes:
    """The request body for an endpoint of `surface`: JSON in UTF-8 of at most 256 KiB."""
    return orjson.dumps(object_of(surface, event))


def object_of(surface: str, event: NeutralEvent) -> dict[str, Any]:
    """The body as an object; what is too large has given way to a marker."""
    write, limit = _FORMATS[surface], PAYLOAD_BYTES
    found = write(event)
    while size_of(found) > BODY_BYTES:
        # A format may say a text twice, and a character may take four bytes.
        found = write(event.with_data(payload_bounded(event.data, limit)))
        limit //= 4
    return found
