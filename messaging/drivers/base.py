"""What the core and a driver say to each other: dataclasses in, dataclasses out.

Drivers are sans-I/O: they build HTTP requests and read HTTP responses and webhooks, and know neither the ORM, nor
tenants, nor Celery. The engine does the I/O, thousands at a time.
"""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final


class Capability(enum.StrEnum):
    """What a channel can do; the core asks for these and never for the kind."""

    TEXT = "text"
    MEDIA_BY_LINK = "media_by_link"
    MEDIA_UPLOAD = "media_upload"
    TEMPLATE = "template"
    INTERACTIVE = "interactive"
    REACTION = "reaction"
    LOCATION = "location"
    CONTACTS = "contacts"
    CARDS = "cards"  # templates with pictures and buttons that need no approval
    MARK_READ = "mark_read"
    TYPING = "typing"
    STATUS_ECHO = "status_echo"  # statuses carry our uuid back: an unknown outcome can be reconciled
    SERVICE_WINDOW = "service_window"  # free content only within 24 h of the customer's last message
    SEGMENTS = "segments"  # texts travel in parts that are counted and paid each
    WARMUP = "warmup"  # new addresses must grow their volume slowly


class Scope(enum.StrEnum):
    """What an error is about: one message, one recipient, or the whole channel."""

    MESSAGE = "message"
    CONTACT = "contact"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class AddressKind:
    """One way to name a recipient: `name` is a kind of contact identity, `pattern` what its values look like."""

    name: str
    pattern: re.Pattern[str]
    label: str


# E.164 digits without +; what people type is normalised by the core, which knows their country.
PHONE: Final = AddressKind("phone", re.compile(r"[0-9]{5,20}"), "phone number")


@dataclass(frozen=True, slots=True)
class MediaLimit:
    """What a provider takes for one kind of file: the largest size in bytes and the MIME types."""

    max_bytes: int
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class ChannelSetting:
    """A setting of `Channel.config` that staff choose: one of `choices` (value, label), or of a `format`.

    Formats: flag (yes or no), text, url, json (an object).
    """

    name: str
    label: str
    help: str
    choices: tuple[tuple[str, str], ...] = ()
    format: str = "flag"


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """What a driver may know of a channel. `base_url` is the provider's or the sandbox's, without a trailing slash.

    `callback_url` is where the channel takes plain HTTP calls, without the token that belongs behind it.
    """

    external_id: str
    account_id: str
    address: str
    base_url: str
    config: Mapping[str, Any]
    secrets: Mapping[str, Any]
    is_sandbox: bool = False
    callback_url: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send. `content` is `{"type": T, T: {...}}` with the fields of the driver's content rules.

    `address` is E.164 digits without +, or the provider's id of the person when `address_kind` says so.
    """

    uuid: str
    address: str
    content: Mapping[str, Any]
    address_kind: str = "phone"
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request, complete: absolute URL, headers, body."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One HTTP answer; header names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider accepted the message. `recipient` is the address as the provider knows it, when it says so.

    `provider_id` is empty when the provider gives none: statuses then find the message by our uuid only.
    """

    provider_id: str
    recipient: str = ""
    note: str = ""


class ContentError(Exception):
    """Content that the provider would refuse: `fields` maps dotted paths (`interactive.action.buttons`) to reasons."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in fields.items()))
        self.fields = dict(fields)


class SendError(Exception):
    """The provider refused. `code` is the provider's, `reason` plain language for people.

    `retryable`: may be tried again after `retry_after` seconds (None: the engine's own back-off).
    `max_retries`: None = the engine's usual number. `pauses`: the channel must stop until somebody mends it.
    `counts_as`: a risk counter to add to (`spam`, `quality`, `template_pause`) or "".
    """

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        retryable: bool = False,
        scope: Scope = Scope.MESSAGE,
        retry_after: float | None = None,
        max_retries: int | None = None,
        pauses: bool = False,
        opt_out: bool = False,
        counts_as: str = "",
    ) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.retryable = retryable
        self.scope = scope
        self.retry_after = retry_after
        self.max_retries = max_retries
        self.pauses = pauses
        self.opt_out = opt_out
        self.counts_as = counts_as


class Ambiguous(Exception):
    """Whether the provider took the message is not known: never send it again blindly."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a part of a webhook belongs: (kind, external id) in the public route table."""

    kind: str
    external_id: str


@dataclass(frozen=True, slots=True)
class WebhookPart:
    """One change of a webhook batch. `where` is its JSON path, for problem reports; `data` its raw JSON."""

    route: Route | None
    where: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """A provider's word on one of our messages. `status`: sent, delivered, read, failed. `uuid` is our echo, if any."""

    provider_id: str
    status: str
    at: datetime
    uuid: str = ""
    error: SendError | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InboundMedia:
    """A file of a received message: `media_id` to look up at the provider, or a `url` that anybody can fetch.

    `content_type` is as the provider declares it, "" when it does not; `sha256` in hex, "" when not given.
    """

    kind: str
    media_id: str = ""
    url: str = ""
    content_type: str = ""
    sha256: str = ""
    filename: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message from a customer. `identities` are (kind, value) pairs, the best first; the phone may be missing.

    `content` is `{"type": T, T: {...}}`. Types `edit` and `revoke` change the message that `reply_to` names: `edit` has
    the new content under `edit.message`. `media` are the files of the message.
    """

    provider_id: str
    identities: tuple[tuple[str, str], ...]
    name: str
    type: str
    content: Mapping[str, Any]
    at: datetime
    reply_to: str = ""
    opens_window: bool = True
    media: tuple[InboundMedia, ...] = ()


@dataclass(frozen=True, slots=True)
class SentElsewhere:
    """A message of ours as the provider reports it back: sent from here, or with another tool on the same address.

    `uuid` is our own id when it came back with it. `source` names the other tool, as far as the provider says.
    """

    provider_id: str
    identities: tuple[tuple[str, str], ...]
    type: str
    content: Mapping[str, Any]
    at: datetime
    uuid: str = ""
    reply_to: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Watermark:
    """All messages to `address` that were sent up to `up_to` are now `status` (delivered, read)."""

    status: str
    address: str
    up_to: datetime


@dataclass(frozen=True, slots=True)
class AccountUpdate:
    """News about the account, a number, a template or a person's identity; `field` is the provider's name for it."""

    field: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something the driver does not know: kept and shown, never dropped."""

    what: str
    data: Mapping[str, Any]


Inbound = StatusUpdate | Watermark | ReceivedMessage | SentElsewhere | AccountUpdate | Unknown


class Driver(ABC):
    """A kind of channel. Stateless: one instance serves every channel of its kind."""

    kind: ClassVar[str]
    label: ClassVar[str]
    # What software vendors call the network: WHATSAPP, FACEBOOK, INSTAGRAM, SMS; "" when it has no such name.
    network: ClassVar[str] = ""
    capabilities: ClassVar[frozenset[Capability]]
    # Names of the entries of `Channel.secrets`, shown write-only in the admin.
    secret_fields: ClassVar[tuple[str, ...]]
    # Those without which no channel works; None: the first one.
    required_secrets: ClassVar[tuple[str, ...] | None] = None
    # Those that we make ourselves when a channel is made; nobody enters them.
    generated_secrets: ClassVar[tuple[str, ...]] = ()
    # Whether channels have no id at the provider, so that we give them one.
    generates_id: ClassVar[bool] = False
    # Kind of a file (image, video, ...) -> the largest size and the types, in and out.
    media_limits: ClassVar[Mapping[str, MediaLimit]] = {}
    # What staff choose for each channel.
    channel_settings: ClassVar[tuple[ChannelSetting, ...]] = ()
    # How recipients are named; the first one is what people type.
    address_kinds: ClassVar[tuple[AddressKind, ...]]
    # Messages per second and channel when the channel does not say otherwise.
    default_rate: ClassVar[int]
    # Kinds of its entries in the inbound route table: by channel (external id) and by account.
    route_kind: ClassVar[str]
    account_route_kind: ClassVar[str]
    # How long after the customer's last message free content is allowed.
    service_window: ClassVar[timedelta] = timedelta(hours=24)

    def bound_to(self, channel: ChannelInfo) -> Driver:
        """The driver for requests and answers of one channel: another one when these depend on its settings.

        Raises `ContentError` for settings that `check` would refuse.
        """
        return self

    def gateway_of(self, channel: ChannelInfo) -> str:
        """The address that the organisation itself gave for requests; "" when they go to the provider's own.

        The engine checks such an address and connects to nothing else.
        """
        return ""

    def check(self, channel: ChannelInfo) -> None:
        """Whether a channel with these settings and secrets can work. Raises `ContentError` with their names."""
        return

    @abstractmethod
    def validate(self, content: Mapping[str, Any]) -> None:
        """Check `content` against the provider's limits before it is queued. Raises `ContentError`."""

    @abstractmethod
    def needs_window(self, content: Mapping[str, Any]) -> bool:
        """Whether this content is allowed only within the service window."""

    def window_of(self, content: Mapping[str, Any], config: Mapping[str, Any]) -> timedelta:
        """How long after the customer's last message this content may be sent through a channel with `config`.

        Raises `ContentError` when the channel's settings do not allow it at all.
        """
        return self.service_window

    def written_by_person(self, content: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
        """`content` as it is sent when a person, not a machine, wrote it: some providers then allow more time."""
        return content

    def address_kind_of(self, address: str) -> str:
        """The kind of a normalised address; "" when it is none of this driver's."""
        return next((kind.name for kind in self.address_kinds if kind.pattern.fullmatch(address)), "")

    @abstractmethod
    def build_send(self, channel: ChannelInfo, message: Outgoing) -> HttpRequest:
        """The request that sends `message`. Pure and fast: it runs for every message."""

    @abstractmethod
    def read_send(self, response: HttpResponse) -> Sent:
        """Read the answer to `build_send`. Raises `SendError`, or `Ambiguous` when the outcome cannot be known."""

    @abstractmethod
    def build_mark_read(
        self, channel: ChannelInfo, *, provider_id: str, address: str, typing: bool = False
    ) -> Sequence[HttpRequest]:
        """The requests that mark a received message of `address` as read, optionally with a typing indicator."""

    @abstractmethod
    def read_mark_read(self, response: HttpResponse) -> None:
        """Read the answer to each of them. Raises `SendError` or `Ambiguous` when it was not done."""

    @abstractmethod
    def split(self, payload: Mapping[str, Any]) -> Iterator[WebhookPart]:
        """Cut a webhook body into parts of one channel or account each; nothing for other providers' bodies."""

    @abstractmethod
    def parse(self, part: WebhookPart) -> Iterable[Inbound]:
        """Normalise one part. Never raises on odd data: what cannot be read comes out as `Unknown`."""
