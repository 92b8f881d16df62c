"""Rare calls to a provider outside of the engine: one request, the driver reads its answer, refusals are translated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import requests
from django.utils.translation import gettext as _

from messaging.dispatch.channel_state import channel_info
from messaging.drivers.base import Ambiguous, ChannelInfo, HttpRequest, HttpResponse, SendError
from messaging.models import Channel
from messaging.provider_http import http_send
from tenants.errors import Conflict, InvalidInput

T = TypeVar("T")


def provider_ask(request: HttpRequest, read: Callable[[HttpResponse], T]) -> T:
    """What `read` makes of the answer to `request`. Never inside a transaction: the provider may take a minute.

    Raises `InvalidInput` provider_refused (what was asked for), `Conflict` channel_refused (token, permission or
    account), provider_busy (try again after `retry_after`), provider_unreachable (whether it was done is not known).
    """
    try:
        return read(http_send(request))
    except SendError as error:
        if error.pauses:
            raise Conflict("channel_refused", error.reason) from error
        if error.retryable:
            raise Conflict("provider_busy", error.reason, retry_after=error.retry_after or 5.0) from error
        raise InvalidInput("provider_refused", error.reason) from error
    except (Ambiguous, requests.RequestException) as error:
        raise Conflict("provider_unreachable", _("The provider did not answer. Try again in a moment.")) from error


def info_of(channel: Channel) -> ChannelInfo:
    """What the driver may know of `channel`."""
    return channel_info(
        external_id=channel.external_id,
        account_id=channel.account_id,
        address=channel.address,
        config=channel.config,
        secrets=channel.secrets,
        is_sandbox=channel.is_sandbox,
    )
