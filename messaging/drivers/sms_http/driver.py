"""SMS through a gateway with an HTTP interface, whichever that is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final

from messaging.drivers.base import (
    PHONE,
    AddressKind,
    Capability,
    ChannelInfo,
    ChannelSetting,
    ContentError,
    Driver,
    HttpRequest,
    HttpResponse,
    Inbound,
    Outgoing,
    Sent,
    WebhookPart,
)
from messaging.drivers.callbacks import CALLBACK_TOKEN, Callback, CallbackDriver
from messaging.drivers.problems import Problems, is_web_url
from messaging.drivers.sms_http import webhook
from messaging.drivers.sms_http.answer import answer_read
from messaging.drivers.sms_http.definition import (
    DEFAULT_PRESET,
    Definition,
    definition_of,
    preset_definition,
    presets,
)
from messaging.drivers.sms_http.request import request_of
from messaging.drivers.texts import marked as _
from messaging.sms_text import text_cost

# What networks and phones join without trouble; ten are 1,530 plain characters or 670 others.
MOST_SEGMENTS: Final = 10
_SENDER_LENGTH: Final = 16


class SmsHttpDriver(Driver, CallbackDriver):
    """One instance per definition; the unbound one speaks the default preset."""

    kind: ClassVar[str] = "sms_http"
    label: ClassVar[str] = "SMS"
    network: ClassVar[str] = "SMS"
    # Our id travels in the address of the report.
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.TEXT, Capability.STATUS_ECHO, Capability.SEGMENTS}
    )
    secret_fields: ClassVar[tuple[str, ...]] = ("access_token", "password", CALLBACK_TOKEN)
    required_secrets: ClassVar[tuple[str, ...]] = ()
    generated_secrets: ClassVar[tuple[str, ...]] = (CALLBACK_TOKEN,)
    generates_id: ClassVar[bool] = True
    address_kinds: ClassVar[tuple[AddressKind, ...]] = (PHONE,)
    default_rate: ClassVar[int] = 10
    route_kind: ClassVar[str] = webhook.ROUTE
    account_route_kind: ClassVar[str] = webhook.ACCOUNT_ROUTE
    channel_settings: ClassVar[tuple[ChannelSetting, ...]] = (
        ChannelSetting(
            "preset",
            "How the gateway is spoken to",
            "Take the one that is closest; the details below change it.",
            choices=tuple(
                (name, presets()[name]["label"]) for name in sorted(presets(), key=lambda name: name != DEFAULT_PRESET)
            ),
        ),
        ChannelSetting(
            "gateway_url",
            "Gateway's address",
            "The full address that messages are sent to. Not needed for the sandbox.",
            format="url",
        ),
        ChannelSetting(
            "sender",
            "Sender",
            "What people see: a number, a short code, or up to 11 letters and digits. Empty: the number above.",
            format="text",
        ),
        ChannelSetting("username", "User name", "At the gateway, if it wants one.", format="text"),
        ChannelSetting(
            "definition",
            "Details",
            "JSON with what is different from the chosen way; docs/sms.md explains it. Empty: nothing.",
            format="json",
        ),
    )

    def __init__(self, definition: Definition | None = None) -> None:
        self._definition = definition or preset_definition(DEFAULT_PRESET)

    def bound_to(self, channel: ChannelInfo) -> SmsHttpDriver:
        """The sandbox speaks the default preset, whatever the channel would speak to its gateway."""
        return SmsHttpDriver(None if channel.is_sandbox else _definition(channel.config))

    def gateway_of(self, channel: ChannelInfo) -> str:
        return "" if channel.is_sandbox else str(channel.config.get("gateway_url") or "")

    def check(self, channel: ChannelInfo) -> None:
        problems = Problems()
        try:
            names = _definition(channel.config).names
        except ContentError as error:
            problems.fields |= error.fields
            names = frozenset()
        config = channel.config
        if not channel.is_sandbox and not is_web_url(str(config.get("gateway_url") or "")):
            problems.add("gateway_url", _("must be a URL that starts with http:// or https://"))
        sender = str(config.get("sender") or channel.address)
        if "from" in names and not sender:
            problems.add("sender", _("is required: a number or a name"))
        if len(sender) > _SENDER_LENGTH or not sender.isascii() or not sender.isprintable():
            problems.add("sender", _("has at most %(most)s plain characters"), most=_SENDER_LENGTH)
        for name, given in (("username", config.get("username")), *((key, channel.secrets.get(key)) for key in _GIVEN)):
            if name in names and not given and not channel.is_sandbox:
                problems.add(name, _("is required for this gateway"))
            if given and not str(given).isprintable():
                problems.add(name, _("has a character that cannot be sent"))
        if problems.fields:
            raise ContentError(problems.fields)

    def validate(self, content: Mapping[str, Any]) -> None:
        problems = Problems()
        if content.get("type") != "text":
            problems.add("type", _("must be text: an SMS carries nothing else"))
            raise ContentError(problems.fields)
        text = problems.object(content, "text", "")
        body = problems.text(text, "body", "text", maximum=2000) if text is not None else None
        problems.sendable(content, "")
        if body and not problems.fields:
            segments = text_cost(body).segments
            if segments > MOST_SEGMENTS:
                problems.add(
                    "text.body",
                    _("takes %(count)s SMS, at most %(most)s can be joined"),
                    count=segments,
                    most=MOST_SEGMENTS,
                )
        if problems.fields:
            raise ContentError(problems.fields)

    def needs_window(self, content: Mapping[str, Any]) -> bool:
        """Never: anybody who has a number may be written to."""
        return False

    def build_send(self, channel: ChannelInfo, message: Outgoing) -> HttpRequest:
        return request_of(self._definition, channel, message)

    def read_send(self, response: HttpResponse) -> Sent:
        return answer_read(self._definition, response)

    def build_mark_read(
        self, channel: ChannelInfo, *, provider_id: str, address: str, typing: bool = False
    ) -> Sequence[HttpRequest]:
        """Nothing: an SMS is never marked as read, which the capabilities say."""
        return ()

    def read_mark_read(self, response: HttpResponse) -> None:
        raise TypeError("an SMS cannot be marked as read")

    def split(self, payload: Mapping[str, Any]) -> Iterator[WebhookPart]:
        return webhook.split(payload)

    def parse(self, part: WebhookPart) -> Iterable[Inbound]:
        return webhook.parse(part)

    def callback_envelope(self, channel: ChannelInfo, callback: Callback) -> Mapping[str, Any]:
        return webhook.envelope(self._definition, channel.external_id, callback)

    def callback_answer(self, channel: ChannelInfo) -> str:
        return self._definition.callback_answer


# Secrets that people give.
_GIVEN: Final = ("access_token", "password")


def _definition(config: Mapping[str, Any]) -> Definition:
    """The definition of a channel's settings. Raises `ContentError`."""
    changes = config.get("definition") or {}
    if not isinstance(changes, Mapping):
        raise ContentError({"definition": _("must be a JSON object")})
    return _known(str(config.get("preset") or DEFAULT_PRESET), json.dumps(changes, sort_keys=True))


@lru_cache(maxsize=512)
def _known(preset: str, changes: str) -> Definition:
    """Compiled once per process and not again for every look at the channel."""
    return definition_of(preset, json.loads(changes))
