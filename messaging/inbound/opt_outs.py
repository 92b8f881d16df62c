"""Received messages that are a stop or start word: acted upon in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from contacts.services.opt_outs import (
    OptOutRules,
    Wish,
    contact_is_stopped,
    contact_opt_in,
    contact_opt_out,
    opt_out_rules,
)
from contacts.stop_words import WORD_LENGTH
from messaging.drivers.base import ReceivedMessage
from messaging.models import Channel, Message
from messaging.models.message import PRIORITY_CONVERSATION
from messaging.services.accept import Draft, messages_accept
from messaging.services.channels import channel_by_uuid
from tenants.connection import connection
from tenants.errors import ServiceError
from tenants.models import Organization

log = structlog.get_logger(__name__)


def opt_outs_apply(*, channel_id: int, received: Sequence[tuple[ReceivedMessage, int]]) -> None:
    """Stop or resume for those whose message is such a word. `received`: new messages with their contacts' ids."""
    words = [(message, contact_id, text) for message, contact_id in received if (text := _word(message))]
    if not words:
        return
    rules = opt_out_rules()
    wishes = [(message, contact, text, wish) for message, contact, text in words if (wish := rules.wish_of(text))]
    for message, contact_id, text, wish in sorted(wishes, key=lambda entry: entry[0].at):
        if wish == "stop":
            # Accepted before the stop is in force; `all` would hold it back otherwise.
            if not contact_is_stopped(contact_id=contact_id, scope=rules.scope):
                _reply(channel_id, message, rules, wish)
            contact_opt_out(contact_id=contact_id, at=message.at, scope=rules.scope, word=text)
        elif contact_opt_in(contact_id=contact_id, at=message.at, word=text):
            _reply(channel_id, message, rules, wish)


def _word(message: ReceivedMessage) -> str:
    """The text of a message, or of the button that was pressed, as far as it may be such a word."""
    part = message.content.get(message.type)
    if not isinstance(part, dict):
        return ""
    reply = part.get("button_reply")
    text = reply.get("title") if isinstance(reply, dict) else part.get("body" if message.type == "text" else "text")
    return text if isinstance(text, str) and len(text) <= 4 * WORD_LENGTH else ""


def _reply(channel_id: int, message: ReceivedMessage, rules: OptOutRules, wish: Wish) -> None:
    body = rules.reply_to(wish)
    if not body:
        return
    organization = Organization.objects.get(schema_name=connection.schema_name)
    uuid = Channel.objects.values_list("uuid", flat=True).get(pk=channel_id)
    try:
        messages_accept(
            organization=organization,
            channel=channel_by_uuid(schema=connection.schema_name, uuid=uuid),
            drafts=[Draft(message.identities[0][1], {"type": "text", "text": {"body": body}})],
            origin=Message.Origin.AUTO,
            priority=PRIORITY_CONVERSATION,
        )
    except ServiceError as error:
        # The wish counts, the confirmation is a courtesy: a used-up plan or a paused channel must not undo it.
        log.warning("opt_out_not_confirmed", channel=channel_id, code=error.code)
