"""POST and GET /messages."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.http import HttpResponse

from api.bodies import BodyInvalid, FieldProblem
from api.gateway.documents import operation
from api.gateway.endpoint import Call, Endpoint, channel_of, json_response
from api.gateway.inputs import MessageInput, MessagesQuery
from api.gateway.outputs.files import FileRow
from api.gateway.outputs.messages import MessageAccepted, MessageList, MessageRow, MessageState
from api.gateway.pagination import cursor_read, cursor_write
from api.gateway.views.channels import channel_type
from api.gateway.views.customers import customer_of
from api.gateway.views.files import file_output
from api.problems import Problem
from messaging.content import content_preview
from messaging.models import Channel, MediaFile, Message
from messaging.models.message import PRIORITY_CONVERSATION, PRIORITY_TRANSACTIONAL
from messaging.services.accept import Draft, message_accept
from messaging.services.channels import ChannelSnapshot
from messaging.services.history import messages_page

_STATES: Final[dict[str, MessageState]] = {
    Message.Status.QUEUED: "queued",
    Message.Status.SCHEDULED: "queued",
    Message.Status.PROCESSING: "processing",
    Message.Status.IN_DOUBT: "processing",
    Message.Status.SENT: "sent",
    Message.Status.DELIVERED: "delivered",
    Message.Status.READ: "read",
    Message.Status.FAILED: "failed",
    Message.Status.CANCELLED: "cancelled",
    Message.Status.RECEIVED: "received",
}
_DIRECTIONS: Final = {"INBOUND": Message.Direction.IN, "OUTBOUND": Message.Direction.OUT}


class MessagesView(Endpoint):
    scopes = {"GET": "messages:read", "POST": "messages:send"}
    field_names = {"text.body": "text"}

    @operation(
        id="createMessage",
        tag="Messages",
        scope=scopes["POST"],
        summary="Send a message",
        description="Queues a text, a template, an interactive message or a file. Everything that can be known before "
        "is checked before: the channel's type, the provider's limits, the 24 h window, the template and its values.",
        body=MessageInput,
        answer=MessageAccepted,
        done="Accepted in the delivery queue.",
        status=202,
        errors=(
            *("channel_not_found", "channel_not_connected", "channel_type_mismatch", "plan_limit_reached"),
            *("insufficient_credits", "no_price"),
            *("invalid_phone", "invalid_recipient", "recipient_is_sender", "invalid_content", "suppressed"),
            *("file_not_found", "file_not_allowed"),
            *("window_closed", "template_unknown", "template_not_approved", "template_values_wrong"),
            *("idempotency_in_progress", "idempotency_key_reused", "idempotency_key_invalid"),
        ),
        idempotent=True,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(MessageInput)
        content = _content(given)
        channel = channel_of(call.credential, given.channel_id)
        _type_check(channel, given.channel_type)
        return call.answer_once(partial(_send, call, channel, given, content), status=202)

    @operation(
        id="listMessages",
        tag="Messages",
        scope=scopes["GET"],
        summary="List messages",
        description="What was sent and received, the newest first.",
        query=MessagesQuery,
        answer=MessageList,
        done="A page of messages.",
        errors=("channel_not_found", "customer_not_found", "validation_failed"),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(MessagesQuery)
        page = messages_page(
            channel_ids=_channel_ids(call, asked),
            direction=_DIRECTIONS[asked.direction] if asked.direction else None,
            statuses=_statuses(asked.status),
            before=cursor_read(asked.cursor),
            limit=asked.limit,
        )
        more = cursor_write(page.next_before) if page.next_before is not None else None
        answer = MessageList(success=True, messages=_outputs(call, page.messages), nextCursor=more)
        return json_response(answer.json())


def _content(given: MessageInput) -> dict[str, Any]:
    """What goes to the provider: the member that `type` names."""
    value = getattr(given, given.type)
    if value is None:
        raise BodyInvalid([FieldProblem(given.type, "required", f"A message of type {given.type} needs this field.")])
    return {"type": given.type, given.type: {"body": value} if given.type == "text" else value}


def _type_check(channel: ChannelSnapshot, wanted: str) -> None:
    actual = channel_type(channel.kind)
    if actual != wanted:
        text = f"The channel is of type {actual}."
        raise Problem("channel_type_mismatch", text, [FieldProblem("channelType", "channel_type_mismatch", text)])


def _send(call: Call, channel: ChannelSnapshot, given: MessageInput, content: dict[str, Any]) -> MessageAccepted:
    accepted = message_accept(
        draft=Draft(given.to, content),
        organization=call.credential.organization,
        channel=channel,
        origin=Message.Origin.API,
        priority=PRIORITY_TRANSACTIONAL if given.type == "template" else PRIORITY_CONVERSATION,
        api_key_id=call.credential.api_key_id,
        reply_to=given.reply_to or "",
        by_person=given.by_person,
    )
    return MessageAccepted(
        success=True,
        message="Message accepted and enqueued for delivery.",
        messageId=str(accepted.uuid),
        status="queued",
    )


def _channel_ids(call: Call, asked: MessagesQuery) -> list[int] | None:
    """The channels that the filters leave; None for all of the account's."""
    channels = Channel.objects.filter(is_sandbox=True) if call.credential.is_test else Channel.objects.all()
    if asked.channel_id is not None:
        channels = channels.filter(pk=channel_of(call.credential, asked.channel_id).id)
    if asked.customer_id is not None:
        channels = channels.filter(customer=customer_of(asked.customer_id))
    if asked.channel_id is None and asked.customer_id is None and not call.credential.is_test:
        return None
    return list(channels.order_by("pk").values_list("pk", flat=True))


def _statuses(asked: str | None) -> list[str] | None:
    if asked is None:
        return None
    found = [status for status, state in _STATES.items() if state == asked.lower()]
    if not found:
        text = f"One of {', '.join(dict.fromkeys(_STATES.values()))} is expected."
        raise BodyInvalid([FieldProblem("status", "not_possible", text)])
    return found


def _outputs(call: Call, rows: list[Message]) -> list[MessageRow]:
    """The page with its files: one query for all of them."""
    files: dict[int, list[FileRow]] = {}
    received = [row.pk for row in rows if row.direction == Message.Direction.IN]
    for file in MediaFile.objects.filter(message_id__in=received).order_by("pk") if received else ():
        assert file.message_id is not None
        files.setdefault(file.message_id, []).append(file_output(call.credential, file))
    return [_output(row, files.get(row.pk, [])) for row in rows]


def _output(row: Message, files: list[FileRow]) -> MessageRow:
    channel = row.channel
    return MessageRow(
        id=str(row.uuid),
        channelId=channel.reference or str(channel.uuid),
        channelType=channel_type(channel.kind),
        customerId=str(channel.customer.uuid) if channel.customer else None,
        direction="INBOUND" if row.direction == Message.Direction.IN else "OUTBOUND",
        status=_STATES[row.status],
        type=row.type,
        contact=row.address,
        text=content_preview(row.content, is_sensitive=row.is_sensitive, limit=1000),
        content=None if row.is_sensitive else row.content,
        files=files,
        providerMessageId=row.provider_id,
        errorCode=row.error_code or None,
        error=row.error_reason or None,
        createdAt=row.queued_at,
        sentAt=row.sent_at,
        deliveredAt=row.delivered_at,
        readAt=row.read_at,
        failedAt=row.failed_at,
    )
