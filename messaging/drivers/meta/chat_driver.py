"""The part that Messenger and Instagram share: one send API, one form of webhooks, one table of errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote

import orjson

from messaging.drivers.base import (
    AddressKind,
    Ambiguous,
    Capability,
    ChannelInfo,
    ChannelSetting,
    ContentError,
    Driver,
    HttpRequest,
    HttpResponse,
    Inbound,
    MediaLimit,
    Outgoing,
    Sent,
    WebhookPart,
)
from messaging.drivers.meta import chat_content, chat_webhook
from messaging.drivers.meta.chat_errors import ERRORS, SENT_ALTHOUGH
from messaging.drivers.meta.errors import error_codes, error_envelope
from messaging.drivers.meta.graph import SECRET_FIELDS, authorization, graph_url, json_post
from messaging.drivers.profiles import ProfileDriver
from messaging.drivers.texts import marked as _

# Meta: with the tag HUMAN_AGENT a person may answer for seven days.
AGENT_WINDOW: Final = timedelta(days=7)
HUMAN_AGENT_SETTING: Final = ChannelSetting(
    "human_agent",
    "People may answer for 7 days",
    "Only when Meta has approved the Human Agent feature for the app. Machines have 24 hours all the same.",
)
# Meta: 25 MB for every attachment.
_BYTES: Final = 25 * 1024 * 1024
FILE_LIMITS: Final[Mapping[str, MediaLimit]] = {
    "image": MediaLimit(_BYTES, frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})),
    "sticker": MediaLimit(_BYTES, frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})),
    "video": MediaLimit(_BYTES, frozenset({"video/mp4", "video/3gpp"})),
    "audio": MediaLimit(_BYTES, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})),
    "document": MediaLimit(
        _BYTES,
        frozenset(
            {
                "application/pdf",
                "application/msword",
                "application/vnd.ms-excel",
                "application/vnd.ms-powerpoint",
                "application/vnd.openxmlformats-officedocument.presentationml.presentation",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                "text/plain",
            }
        ),
    ),
}
_SENT_NOTE: Final = "Meta reported an error and sent the message all the same."


class ChatDriver(Driver, ProfileDriver):
    """A product of the Messenger Platform. Subclasses say what it is called, where it sends and how it is limited."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.TEXT, Capability.MEDIA_BY_LINK, Capability.INTERACTIVE, Capability.REACTION, Capability.CARDS,
            Capability.MARK_READ, Capability.TYPING, Capability.SERVICE_WINDOW,
        }
    )  # fmt: skip
    channel_settings: ClassVar[tuple[ChannelSetting, ...]] = (HUMAN_AGENT_SETTING,)
    media_limits: ClassVar[Mapping[str, MediaLimit]] = FILE_LIMITS
    secret_fields: ClassVar[tuple[str, ...]] = SECRET_FIELDS
    address_kind: ClassVar[AddressKind]
    # `object` of its webhooks.
    webhook_object: ClassVar[str]
    text_limit: ClassVar[chat_content.TextLimit]
    # What is asked of a person's profile.
    profile_fields: ClassVar[str]

    def messages_url(self, channel: ChannelInfo) -> str:
        """The address that messages are posted to."""
        raise NotImplementedError

    def validate(self, content: Mapping[str, Any]) -> None:
        chat_content.validate(content, self.text_limit)

    def needs_window(self, content: Mapping[str, Any]) -> bool:
        """Always: there is nothing that may be sent first."""
        return True

    def window_of(self, content: Mapping[str, Any], config: Mapping[str, Any]) -> timedelta:
        if content.get("tag") != chat_content.HUMAN_AGENT:
            return self.service_window
        if not config.get("human_agent"):
            raise ContentError({"tag": _("is not allowed for this channel: Meta must approve the feature first")})
        return AGENT_WINDOW

    def written_by_person(self, content: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**content, "tag": chat_content.HUMAN_AGENT} if config.get("human_agent") else content

    def build_send(self, channel: ChannelInfo, message: Outgoing) -> HttpRequest:
        body: dict[str, Any] = {"recipient": {"id": message.address}}
        if message.content["type"] == "reaction":
            return json_post(channel, self.messages_url(channel), body | _reaction(message.content["reaction"]))
        body |= self.kind_of_message(channel, message.content)
        body["message"] = chat_content.message_of(message.content) | self.correlation(message)
        if message.reply_to:
            body["reply_to"] = {"mid": message.reply_to}
        return json_post(channel, self.messages_url(channel), body)

    def kind_of_message(self, channel: ChannelInfo, content: Mapping[str, Any]) -> dict[str, str]:
        """`messaging_type` and `tag`: an answer within 24 hours, or a person's answer within seven days."""
        if content.get("tag"):
            return {"messaging_type": "MESSAGE_TAG", "tag": content["tag"]}
        return {"messaging_type": "RESPONSE"}

    def correlation(self, message: Outgoing) -> dict[str, str]:
        """What of a message comes back with its echo; nothing unless the product carries something for us."""
        return {}

    def read_send(self, response: HttpResponse) -> Sent:
        answer = _answer(response)
        if answer is None:
            envelope = error_envelope(response.body)
            if envelope is not None and error_codes(envelope) == SENT_ALTHOUGH:
                return Sent(provider_id="", note=_SENT_NOTE)
            raise ERRORS.in_response(response)
        provider_id, recipient = answer.get("message_id"), answer.get("recipient_id")
        if not isinstance(provider_id, str | None) or (not provider_id and not recipient):
            raise Ambiguous(f"HTTP {response.status} without a message id")
        # A reaction is answered with the recipient alone.
        return Sent(provider_id=provider_id or "", recipient=str(recipient or ""))

    def build_mark_read(
        self, channel: ChannelInfo, *, provider_id: str, address: str, typing: bool = False
    ) -> Sequence[HttpRequest]:
        actions = ["mark_seen", "typing_on"] if typing else ["mark_seen"]
        url = self.messages_url(channel)
        return [json_post(channel, url, {"recipient": {"id": address}, "sender_action": name}) for name in actions]

    def read_mark_read(self, response: HttpResponse) -> None:
        answer = _answer(response)
        if answer is None or not answer.get("recipient_id"):
            raise ERRORS.in_response(response)

    def profile_url(self, channel: ChannelInfo, address: str) -> str:
        """The address of a person's profile."""
        return f"{graph_url(channel)}/{quote(address, safe='')}?fields={self.profile_fields}"

    def build_profile(self, channel: ChannelInfo, address: str) -> HttpRequest:
        return HttpRequest("GET", self.profile_url(channel, address), authorization(channel))

    def read_profile(self, response: HttpResponse) -> str:
        answer = _answer(response)
        if answer is None:
            raise ERRORS.in_response(response)
        full = " ".join(str(answer[name]) for name in ("first_name", "last_name") if answer.get(name))
        return str(answer.get("name") or full or answer.get("username") or "").strip()

    def split(self, payload: Mapping[str, Any]) -> Iterator[WebhookPart]:
        return chat_webhook.split(payload, webhook_object=self.webhook_object, route_kind=self.route_kind)

    def parse(self, part: WebhookPart) -> Iterable[Inbound]:
        return chat_webhook.parse(part, identity=self.address_kind.name)


def _reaction(reaction: Mapping[str, Any]) -> dict[str, Any]:
    if not reaction["emoji"]:
        return {"sender_action": "unreact", "payload": {"message_id": reaction["message_id"]}}
    payload = {"message_id": reaction["message_id"], "reaction": reaction["emoji"]}
    return {"sender_action": "react", "payload": payload}


def _answer(response: HttpResponse) -> Mapping[str, Any] | None:
    """The object of a good answer; None for an error. Raises `Ambiguous` when a good answer cannot be read."""
    if not 200 <= response.status < 300:
        return None
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError as error:
        raise Ambiguous(f"HTTP {response.status} with a broken body") from error
    return answer if isinstance(answer, dict) and "error" not in answer else None
