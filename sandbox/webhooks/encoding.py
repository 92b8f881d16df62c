"""Webhook bodies exactly as Meta writes them, and their signature.

Meta escapes every non-ASCII character as lower-case \\uXXXX and every slash as \\/; the signature covers those bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quoted

__all__ = ["Update", "envelope", "meta_json", "quoted", "signature"]


def meta_json(value: object) -> str:
    """JSON in Meta's spelling, without spaces."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/")


def signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256 for these bytes."""
    return "sha256=" + hmac.new(secret.encode("utf-8"), body, hashlib.sha256).hexdigest()


WHATSAPP = "whatsapp_business_account"
# Lists of the SMS gateway, which have no envelope of Meta's.
SMS_REPORTS, SMS_MESSAGES = "reports", "messages"


@dataclass(slots=True)
class Update:
    """One status, message or account change that waits for its webhook.

    `group` tells which updates may share one `change`: the metadata of a number and the kind of list ("statuses"
    for failed ones, "statuses+" for those with contacts, "messages"), or a whole value of its own when `value` is set.
    `item` and `contact` are JSON without the slash escapes, which are put in for the whole body at once.
    """

    waba_id: str
    group: str
    item: str
    contact: str = ""
    field: str = "messages"
    time: int = 0
    object: str = WHATSAPP


def envelope(updates: Iterable[Update]) -> bytes:
    """The body of one POST: entries by account, changes by group, in the order of arrival; all of one `object`."""
    updates = list(updates)
    if updates and updates[0].object in (SMS_REPORTS, SMS_MESSAGES):
        return f'{{"{updates[0].object}":[{",".join(update.item for update in updates)}]}}'.encode()
    if updates and updates[0].object != WHATSAPP:
        return _chat_envelope(updates)
    entries: dict[str, dict[tuple[str, str], list[Update]]] = {}
    for update in updates:
        groups = entries.setdefault(update.waba_id, {})
        # An account change stands alone: its group is empty and its item is the whole value.
        key = (update.field, update.group) if update.group else (update.field, f"={id(update)}")
        groups.setdefault(key, []).append(update)
    text = ",".join(_entry(waba_id, groups) for waba_id, groups in entries.items())
    body = f'{{"object":"whatsapp_business_account","entry":[{text}]}}'
    return body.replace("/", "\\/").encode("ascii")


def _chat_envelope(updates: list[Update]) -> bytes:
    """Pages and Instagram accounts have a list of events in each entry, and milliseconds."""
    entries: dict[str, list[Update]] = {}
    for update in updates:
        entries.setdefault(update.waba_id, []).append(update)
    text = ",".join(
        f'{{"id":"{account}","time":{max(update.time for update in events)},'
        f'"messaging":[{",".join(update.item for update in events)}]}}'
        for account, events in entries.items()
    )
    return f'{{"object":"{updates[0].object}","entry":[{text}]}}'.replace("/", "\\/").encode("ascii")


def _entry(waba_id: str, groups: dict[tuple[str, str], list[Update]]) -> str:
    changes = ",".join(_change(updates) for updates in groups.values())
    moment = max((update.time for updates in groups.values() for update in updates), default=0)
    time = f'"time":{moment},' if moment else ""
    return f'{{"id":"{waba_id}",{time}"changes":[{changes}]}}'


def _change(updates: list[Update]) -> str:
    first = updates[0]
    if not first.group:
        return f'{{"value":{first.item},"field":"{first.field}"}}'
    head, _, kind = first.group.rpartition("|")
    contacts = ",".join(dict.fromkeys(update.contact for update in updates if update.contact))
    people = f'"contacts":[{contacts}],' if contacts else ""
    items = ",".join(update.item for update in updates)
    kind = kind.rstrip("+")
    return f'{{"value":{{"messaging_product":"whatsapp",{head},{people}"{kind}":[{items}]}},"field":"{first.field}"}}'
