"""WhatsApp through Meta's Cloud API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson

from messaging.drivers.base import (
    PHONE,
    AddressKind,
    Ambiguous,
    Capability,
    ChannelInfo,
    Driver,
    HttpRequest,
    HttpResponse,
    Inbound,
    MediaLimit,
    Outgoing,
    Sent,
    WebhookPart,
)
from messaging.drivers.connecting import WHATSAPP_DIALOG, Access, ConnectDriver, Dialog, Found
from messaging.drivers.meta.graph import GRAPH_VERSION, SECRET_FIELDS, json_post
from messaging.drivers.templates import Components, TemplateCreated, TemplateDraft, TemplateDriver, TemplatePage
from messaging.drivers.uploads import MediaDriver, MediaReference, UploadFile
from messaging.drivers.whatsapp_cloud import connect, media, template_calls, template_rules, template_values, webhook
from messaging.drivers.whatsapp_cloud import content as content_rules
from messaging.drivers.whatsapp_cloud.config import phone_url
from messaging.drivers.whatsapp_cloud.errors import ERRORS

# Meta's `message_status` of templates: only these two mean that the message is not simply on its way.
_NOTES: Final = {
    "held_for_quality_assessment": "Held by Meta until the quality of the template has been assessed.",
    "paused": "Held by Meta: the template is paused.",
}


class WhatsAppCloudDriver(Driver, MediaDriver, TemplateDriver, ConnectDriver):
    """One instance serves all WhatsApp numbers. `graph_version` is used by channels that do not name their own."""

    kind: ClassVar[str] = "whatsapp_cloud"
    label: ClassVar[str] = "WhatsApp (Cloud API)"
    network: ClassVar[str] = "WHATSAPP"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.CARDS, Capability.SEGMENTS}
    address_kinds: ClassVar[tuple[AddressKind, ...]] = (PHONE, webhook.BSUID)
    secret_fields: ClassVar[tuple[str, ...]] = SECRET_FIELDS
    route_kind: ClassVar[str] = webhook.PHONE_ROUTE
    account_route_kind: ClassVar[str] = webhook.ACCOUNT_ROUTE
    # Meta: 80 messages a second and number, until Meta raises it.
    default_rate: ClassVar[int] = 80
    media_limits: ClassVar[Mapping[str, MediaLimit]] = media.LIMITS
    upload_days: ClassVar[int] = 30
    graph_version: ClassVar[str] = GRAPH_VERSION

    def validate(self, content: Mapping[str, Any]) -> None:
        content_rules.validate(content)

    def needs_window(self, content: Mapping[str, Any]) -> bool:
        """Everything but a template: Meta accepts it outside of the 24 h, and fails it later."""
        return content.get("type") != "template"

    def build_send(self, channel: ChannelInfo, message: Outgoing) -> HttpRequest:
        content = message.content
        kind = content["type"]
        body: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": "individual"}
        if message.address_kind == "phone":
            body["to"] = f"+{message.address}"
        else:
            body["recipient"] = message.address
        body["type"] = kind
        if message.reply_to and kind != "reaction":
            body["context"] = {"message_id": message.reply_to}
        body[kind] = content[kind]
        body["biz_opaque_callback_data"] = message.uuid
        return self._post(channel, body)

    def read_send(self, response: HttpResponse) -> Sent:
        try:
            answer = orjson.loads(response.body) if 200 <= response.status < 300 else None
        except orjson.JSONDecodeError as error:
            raise Ambiguous(f"HTTP {response.status} with a broken body") from error
        if not isinstance(answer, dict) or "error" in answer:
            raise ERRORS.in_response(response)
        first = _first(answer.get("messages"))
        provider_id = first.get("id")
        if not isinstance(provider_id, str) or not provider_id:
            raise Ambiguous(f"HTTP {response.status} without a message id")
        contact = _first(answer.get("contacts"))
        return Sent(
            provider_id=provider_id,
            recipient=str(contact.get("wa_id") or contact.get("user_id") or ""),
            note=_NOTES.get(str(first.get("message_status")), ""),
        )

    def build_mark_read(
        self, channel: ChannelInfo, *, provider_id: str, address: str, typing: bool = False
    ) -> Sequence[HttpRequest]:
        body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": provider_id}
        if typing:
            body["typing_indicator"] = {"type": "text"}
        return [self._post(channel, body)]

    def read_mark_read(self, response: HttpResponse) -> None:
        try:
            answer = orjson.loads(response.body)
        except orjson.JSONDecodeError as error:
            raise Ambiguous(f"HTTP {response.status} with a broken body") from error
        if not isinstance(answer, dict) or answer.get("success") is not True:
            raise ERRORS.in_response(response)

    def split(self, payload: Mapping[str, Any]) -> Iterator[WebhookPart]:
        return webhook.split(payload)

    def parse(self, part: WebhookPart) -> Iterable[Inbound]:
        return webhook.parse(part)

    def build_media_upload(self, channel: ChannelInfo, file: UploadFile) -> HttpRequest:
        return media.build_upload(channel, self.graph_version, file)

    def read_media_upload(self, response: HttpResponse) -> str:
        return media.read_upload(response)

    def build_media_get(self, channel: ChannelInfo, media_id: str) -> HttpRequest:
        return media.build_get(channel, self.graph_version, media_id)

    def read_media_get(self, response: HttpResponse) -> MediaReference:
        return media.read_get(response)

    def build_media_download(self, channel: ChannelInfo, reference: MediaReference) -> HttpRequest:
        return media.build_download(channel, reference)

    def complete_template(self, draft: TemplateDraft) -> TemplateDraft:
        return template_rules.completed(draft)

    def check_template(self, draft: TemplateDraft) -> None:
        template_rules.check_draft(draft)

    def check_template_values(self, components: Components, parameter_format: str, content: Mapping[str, Any]) -> None:
        template_values.check_values(components, parameter_format, content)

    def build_template_create(self, channel: ChannelInfo, draft: TemplateDraft) -> HttpRequest:
        return template_calls.build_create(channel, self.graph_version, draft)

    def read_template_create(self, response: HttpResponse) -> TemplateCreated:
        return template_calls.read_create(response)

    def build_template_list(self, channel: ChannelInfo, *, after: str = "") -> HttpRequest:
        return template_calls.build_list(channel, self.graph_version, after)

    def read_template_list(self, response: HttpResponse) -> TemplatePage:
        return template_calls.read_list(response)

    def build_template_delete(self, channel: ChannelInfo, name: str) -> HttpRequest:
        return template_calls.build_delete(channel, self.graph_version, name)

    def read_template_delete(self, response: HttpResponse) -> bool:
        return template_calls.read_delete(response)

    connect_scopes: ClassVar[tuple[str, ...]] = connect.SCOPES
    signup_dialog: ClassVar[Dialog | None] = WHATSAPP_DIALOG

    def accounts_granted(self, targets: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
        return connect.accounts_granted(targets)

    def build_lookup(self, access: Access, external_id: str) -> HttpRequest:
        return connect.build_lookup(access, external_id)

    def read_lookup(self, response: HttpResponse) -> Found:
        return connect.read_lookup(response)

    def build_addresses(self, access: Access, account_id: str) -> HttpRequest:
        return connect.build_addresses(access, account_id)

    def read_addresses(self, response: HttpResponse, account_id: str) -> tuple[Found, ...]:
        return connect.read_addresses(response, account_id)

    def build_subscribe(self, access: Access, found: Found) -> HttpRequest:
        return connect.build_subscribe(access, found)

    def build_register(self, access: Access, found: Found, pin: str) -> HttpRequest:
        return connect.build_register(access, found, pin)

    def read_done(self, response: HttpResponse) -> None:
        connect.read_done(response)

    def _post(self, channel: ChannelInfo, body: Mapping[str, Any]) -> HttpRequest:
        return json_post(channel, f"{phone_url(channel, self.graph_version)}/messages", body)


def _first(items: Any) -> Mapping[str, Any]:
    """The first object of a JSON list, or an empty one."""
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
