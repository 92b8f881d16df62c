"""POST /messages/send, /messages/send-media, /messages/send-bulk and GET /messages/{id}."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django.http import HttpResponse

from api.bodies import BodyInvalid, FieldProblem
from api.body_types import uuid_read
from api.problems import Problem
from api.transactional.documents import operation
from api.transactional.endpoint import Call, Endpoint, json_response
from api.transactional.inputs import SendBulkInput, SendMediaInput, SendMessageInput
from api.transactional.outputs import BulkAccepted, BulkRejection, MessageStatus, PublicStatus, SendAccepted
from api.transactional.views.providers import provider_of
from messaging.models import Message
from messaging.models.message import PRIORITY_TRANSACTIONAL
from messaging.services.accept import Acceptance, Draft, messages_accept
from tenants.errors import InvalidInput
from tenants.fields import uuid7

# The clock of a caller may be behind ours: a time that has just passed means now.
CLOCK_SKEW: Final = timedelta(minutes=1)
MAX_FILENAME: Final = 240
_SENDING_ERRORS: Final = (
    "provider_not_found",
    "provider_not_connected",
    "plan_limit_reached",
    "insufficient_credits",
    "idempotency_in_progress",
    "idempotency_key_reused",
    "idempotency_key_invalid",
)
_CONTENT_ERRORS: Final = (
    "invalid_phone",
    "recipient_is_sender",
    "no_price",
    "suppressed",
    "window_closed",
    "invalid_content",
)
_STATUS: Final[dict[str, PublicStatus]] = {
    Message.Status.QUEUED: "queued",
    Message.Status.SCHEDULED: "queued",
    Message.Status.PROCESSING: "processing",
    Message.Status.IN_DOUBT: "processing",
    Message.Status.SENT: "sent",
    Message.Status.DELIVERED: "delivered",
    Message.Status.READ: "delivered",
    Message.Status.FAILED: "failed",
    Message.Status.CANCELLED: "cancelled",
}

_STATUS_FIELDS: Final = (
    *("uuid", "status", "address", "channel__uuid", "queued_at", "sent_at", "delivered_at", "read_at", "failed_at"),
    *("error_code", "error_reason"),
)


class SendMessageView(Endpoint):
    scope = "messages:send"
    field_names = {"text.body": "message"}

    @operation(
        id="sendMessage",
        tag="Messages",
        scope=scope,
        summary="Send a text message",
        description="Queues a text message for one recipient. The provider must be connected.",
        body=SendMessageInput,
        answer=SendAccepted,
        done="The message is queued.",
        status=202,
        errors=(*_SENDING_ERRORS, *_CONTENT_ERRORS, "variable_missing"),
        idempotent=True,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(SendMessageInput)
        at = schedule_read(given.schedule_at)
        draft = Draft(given.to, {"type": "text", "text": {"body": given.message}}, given.variables or {})
        effect = partial(_send_one, call, draft, provider_id=given.provider_id, at=at, save_contact=given.save_contact)
        return call.answer_once(effect, status=202)


class SendMediaView(Endpoint):
    scope = "messages:send"
    field_names = {f"{kind}.link": "mediaUrl" for kind in ("image", "document", "audio", "video")} | {
        f"{kind}.caption": "caption" for kind in ("image", "document", "audio", "video")
    }

    @operation(
        id="sendMedia",
        tag="Messages",
        scope=scope,
        summary="Send a media message",
        description="Sends an image, video, audio file or document that is at a public URL. A document gets its file "
        "name from the URL.",
        body=SendMediaInput,
        answer=SendAccepted,
        done="The message is queued.",
        status=202,
        errors=(*_SENDING_ERRORS, *_CONTENT_ERRORS),
        idempotent=True,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(SendMediaInput)
        draft = Draft(given.to, _media_content(given))
        effect = partial(
            _send_one, call, draft, provider_id=given.provider_id, at=None, save_contact=given.save_contact
        )
        return call.answer_once(effect, status=202)


class SendBulkView(Endpoint):
    scope = "messages:send"
    field_names = {"text.body": "messageTemplate"}

    @operation(
        id="sendBulk",
        tag="Messages",
        scope=scope,
        summary="Send to many",
        description="Sends one text, filled for each, to up to 10,000 recipients. Those who cannot be written to are "
        "listed in `rejections`; all others are queued.",
        body=SendBulkInput,
        answer=BulkAccepted,
        done="What was queued and what was not.",
        errors=_SENDING_ERRORS,
        idempotent=True,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(SendBulkInput)
        at = schedule_read(given.schedule_at)
        content = {"type": "text", "text": {"body": given.message_template}}
        drafts = [Draft(recipient.to, content, recipient.variables or {}) for recipient in given.recipients]
        return call.answer_once(partial(_send_bulk, call, given, drafts, at), status=200)


class MessageView(Endpoint):
    scope = "messages:read"

    @operation(
        id="getMessageStatus",
        tag="Messages",
        scope=scope,
        summary="Show the status of a message",
        description="Where a message that was accepted earlier has got to. The text is never returned.",
        answer=MessageStatus,
        done="The status.",
        errors=("message_not_found",),
        path={"id": "The message's id (`messageId`)."},
    )
    def get(self, call: Call, id: str) -> HttpResponse:
        row = _message_row(call, id)
        delivered_at = row["delivered_at"] or row["read_at"]
        status = MessageStatus(
            messageId=row["uuid"],
            status=_STATUS[row["status"]],
            to=row["address"],
            providerId=row["channel__uuid"],
            queuedAt=row["queued_at"],
            sentAt=row["sent_at"],
            deliveredAt=delivered_at,
            failedAt=row["failed_at"],
            failureCode=row["error_code"] or None,
            failureReason=row["error_reason"] or None,
        )
        return json_response(status.json())


def schedule_read(at: datetime | None) -> datetime | None:
    """The time to send at; None for now. A time over a minute ago, or over a year ahead, is refused."""
    if at is None:
        return None
    now = datetime.now(UTC)
    if at < now - CLOCK_SKEW:
        raise BodyInvalid([FieldProblem("scheduleAt", "schedule_in_past", "This time has passed.")])
    # The 29th of February has no namesake in the next year; the 28th stands in.
    day = 28 if (now.month, now.day) == (2, 29) else now.day
    if at > now.replace(year=now.year + 1, day=day):
        raise BodyInvalid([FieldProblem("scheduleAt", "schedule_too_far", "At most a year ahead is possible.")])
    return at if at > now else None


def _send_one(call: Call, draft: Draft, *, provider_id: Any, at: datetime | None, save_contact: bool) -> SendAccepted:
    acceptance = _accept(call, [draft], provider_id=provider_id, at=at, save_contact=save_contact)
    if acceptance.rejections:
        refusal = acceptance.rejections[0]
        raise InvalidInput(refusal.code, refusal.reason, refusal.fields)
    return SendAccepted(acceptance.accepted[0].uuid, "queued", acceptance.queued_at)


def _send_bulk(call: Call, given: SendBulkInput, drafts: list[Draft], at: datetime | None) -> BulkAccepted:
    bulk_uuid = uuid7()
    acceptance = _accept(
        call, drafts, provider_id=given.provider_id, at=at, save_contact=given.save_contact, bulk_uuid=bulk_uuid
    )
    return BulkAccepted(
        bulkId=bulk_uuid,
        accepted=len(acceptance.accepted),
        rejected=len(acceptance.rejections),
        rejections=[BulkRejection(item.index, item.to, item.code, item.reason) for item in acceptance.rejections],
        messageIds=[item.uuid for item in acceptance.accepted],
    )


def _accept(call: Call, drafts: list[Draft], *, provider_id: Any, at: datetime | None, **options: Any) -> Acceptance:
    return messages_accept(
        organization=call.credential.organization,
        channel=provider_of(call.credential, provider_id),
        drafts=drafts,
        origin=Message.Origin.API,
        priority=PRIORITY_TRANSACTIONAL,
        scheduled_at=at,
        api_key_id=call.credential.api_key_id,
        **options,
    )


def _media_content(given: SendMediaInput) -> dict[str, Any]:
    media: dict[str, str] = {"link": given.media_url}
    if given.caption:
        if given.media_type == "audio":
            raise BodyInvalid([FieldProblem("caption", "not_possible", "Audio messages have no caption.")])
        media["caption"] = given.caption
    if given.media_type == "document":
        media["filename"] = _filename(given.media_url)
    return {"type": given.media_type, given.media_type: media}


def _filename(url: str) -> str:
    """The last part of the URL's path, decoded: what the recipient sees as the document's name."""
    name = PurePosixPath(unquote(urlsplit(url).path, errors="replace")).name
    return "".join(character for character in name if character.isprintable())[-MAX_FILENAME:] or "document"


def _message_row(call: Call, id: str) -> Mapping[str, Any]:
    uuid = uuid_read(id)
    if uuid is None:
        raise _no_message()
    messages = Message.objects.filter(uuid=uuid, direction=Message.Direction.OUT)
    if call.credential.is_test:
        messages = messages.filter(channel__is_sandbox=True)
    row: Mapping[str, Any] | None = messages.values(*_STATUS_FIELDS).first()
    if row is None:
        raise _no_message()
    return row


def _no_message() -> Problem:
    return Problem("message_not_found", "There is no message with this id.")
