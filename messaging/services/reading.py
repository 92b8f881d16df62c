"""Telling the customer that their message was read."""

from __future__ import annotations

from uuid import UUID

import requests
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.dispatch.channel_state import channel_info
from messaging.drivers.base import Ambiguous, Capability, SendError
from messaging.drivers.registry import driver_of
from messaging.models import Message
from messaging.provider_http import http_send
from tenants.errors import Conflict, NotFound


def message_mark_read(*, message_uuid: UUID, typing: bool = False) -> None:
    """Show a received message as read on the customer's phone, with `typing` also that an answer is being written.

    The provider marks all earlier ones of the conversation too. HTTP calls, so not inside a transaction. Raises
    `NotFound`, or `Conflict`: read_not_supported, read_refused (with the provider's reason), provider_unreachable.
    """
    message = (
        Message.objects.filter(uuid=message_uuid, direction=Message.Direction.IN).select_related("channel").first()
    )
    if message is None or message.provider_id is None:
        raise NotFound("message_not_found", _("No such received message."))
    channel, driver = message.channel, driver_of(message.channel.kind)
    if Capability.MARK_READ not in driver.capabilities:
        raise Conflict("read_not_supported", _("This kind of channel cannot show messages as read."))
    info = channel_info(
        external_id=channel.external_id,
        account_id=channel.account_id,
        address=channel.address,
        config=channel.config,
        secrets=channel.secrets,
        is_sandbox=channel.is_sandbox,
    )
    try:
        for request in driver.build_mark_read(
            info, provider_id=message.provider_id, address=message.address, typing=typing
        ):
            driver.read_mark_read(http_send(request))
    except SendError as error:
        raise Conflict("read_refused", error.reason) from error
    except (Ambiguous, requests.RequestException) as error:
        raise Conflict("provider_unreachable", _("The provider did not answer. Try again.")) from error
    Message.objects.filter(pk=message.pk, read_at__isnull=True).update(read_at=timezone.now())
