"""Which phones exist, what was sent to them and what they answered. Bounded: the oldest messages go first."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.graph.identifiers import bsuid_for, hidden_phone_for

if TYPE_CHECKING:
    from sandbox.chat.pages import Page
    from sandbox.graph.account import Number
    from sandbox.graph.templates import Template
    from sandbox.sms.senders import SmsSender

QUEUED, SENT, DELIVERED, READ, FAILED = range(5)
STATE_NAMES = ("accepted", "sent", "delivered", "read", "failed")


class Phone:
    """A customer's phone. `key` is its number in digits, or the BSUID when the number is unknown."""

    __slots__ = ("bsuid", "hidden", "is_on_page", "key", "last_inbound", "name", "records", "typing_until", "wa_id")

    def __init__(self, key: str) -> None:
        self.key = key
        self.hidden = not key.isdigit()
        self.wa_id = hidden_phone_for(key) if self.hidden else key
        self.bsuid = key if self.hidden else bsuid_for(key)
        # People of Messenger and Instagram have a prefix before their page-scoped id.
        self.is_on_page = ":" in key
        self.name = f"Phone {self.wa_id[-4:]}"
        self.records: deque[Record] = deque()
        self.last_inbound: dict[str, float] = {}
        self.typing_until: dict[str, float] = {}


class Record:
    """One message of a conversation; `payload` is the JSON as it was sent, parsed only when somebody looks."""

    __slots__ = (
        "at",
        "category",
        "components",
        "error",
        "inbound",
        "kind",
        "number",
        "opaque",
        "payload",
        "phone",
        "reaction",
        "seen",
        "state",
        "template",
        "wamid",
    )

    def __init__(
        self,
        wamid: str,
        phone: Phone,
        number: Number | Page | SmsSender,
        kind: str,
        payload: bytes,
        at: float,
        *,
        inbound: bool,
    ) -> None:
        self.wamid = wamid
        self.phone = phone
        self.number = number
        self.kind = kind
        self.payload = payload
        self.at = at
        self.inbound = inbound
        self.state = QUEUED
        self.seen = False
        self.error: dict[str, object] | None = None
        self.template: Template | None = None
        self.components: list[dict[str, Any]] | None = None
        self.opaque: str | None = None
        self.category = "service"
        self.reaction = ""

    def parsed(self) -> dict[str, Any]:
        value: dict[str, Any] = orjson.loads(self.payload)
        return value


class PhoneBook:
    """All phones by key and by BSUID, and all messages by id."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.reset()

    def reset(self) -> None:
        self.phones: dict[str, Phone] = {}
        self.by_bsuid: dict[str, Phone] = {}
        self.by_wamid: dict[str, Record] = {}
        self._order: deque[Record] = deque()

    def phone(self, key: str) -> Phone:
        """The phone with this number (digits) or BSUID; a new one appears when it is first addressed."""
        phone = self.phones.get(key) or self.by_bsuid.get(key)
        if phone is None:
            phone = self.phones[key] = Phone(key)
            self.by_bsuid[phone.bsuid] = phone
        return phone

    def known(self, key: str) -> Phone | None:
        """The phone, when it was addressed before. Accepts `+`, spaces and dashes in a number."""
        digits = key.lstrip("+").replace(" ", "").replace("-", "")
        return self.phones.get(digits) or self.phones.get(key) or self.by_bsuid.get(key)

    def add(self, record: Record) -> None:
        """Keep a message; the oldest of all goes when there are too many."""
        record.phone.records.append(record)
        self.by_wamid[record.wamid] = record
        self._order.append(record)
        if len(self._order) > self._limit:
            self._forget(self._order.popleft())

    def _forget(self, record: Record) -> None:
        phone = record.phone
        self.by_wamid.pop(record.wamid, None)
        if phone.records and phone.records[0] is record:
            phone.records.popleft()
        if not phone.records:
            self.phones.pop(phone.key, None)
            self.by_bsuid.pop(phone.bsuid, None)
