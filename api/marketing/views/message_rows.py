"""Messages as this API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from api.marketing.amounts import credits_number
from api.marketing.outputs.messages import MessageRow, MessageState
from config.reasons import reason_said
from messaging.content import CONTENT_REMOVED
from messaging.models import Message
from messaging.services.operators import operators_of
from messaging.sms_text import segments_of
from webhooks_app.formats.neutral import phone_of, text_of

_Status = Message.Status
# This API's word -> our states.
STATES: Final[Mapping[MessageState, tuple[str, ...]]] = {
    "pending": (_Status.QUEUED, _Status.SCHEDULED, _Status.PROCESSING, _Status.IN_DOUBT),
    "sent": (_Status.SENT,),
    "delivered": (_Status.DELIVERED,),
    "read": (_Status.READ,),
    "failed": (_Status.FAILED,),
    "cancelled": (_Status.CANCELLED,),
}
_WORDS: Final = {status: word for word, statuses in STATES.items() for status in statuses}


def state_of(status: str) -> MessageState:
    """This API's word for one of our states."""
    return _WORDS[status]


def message_rows(messages: Sequence[Message]) -> list[MessageRow]:
    """Rows with their operators, which are looked up together. Texts of one-time passwords are never shown."""
    operators = operators_of(message.address for message in messages)
    return [_row(message, operator) for message, operator in zip(messages, operators, strict=True)]


def _row(message: Message, operator: str) -> MessageRow:
    text = "" if message.is_sensitive or CONTENT_REMOVED in message.content else text_of(message.content)
    contact = message.contact
    return MessageRow(
        id=message.pk,
        uuid=str(message.uuid),
        recipient=phone_of(message.address),
        contact_id=contact.pk if contact is not None else None,
        contact_name=contact.name or None if contact is not None else None,
        message=text,
        status=state_of(message.status),
        operator=operator,
        sms_count=len(segments_of(text)) if text else 0,
        cost=credits_number(message.price),
        channel=message.channel.name,
        campaign_run_id=message.campaign_run_id,
        error=reason_said(message.error_reason) or None,
        error_code=message.error_code or None,
        created_at=message.queued_at,
        sent_at=message.sent_at,
        delivered_at=message.delivered_at,
    )
