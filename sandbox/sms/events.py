"""What the gateway tells: delivery reports and messages of phones, as lists of JSON objects."""

from __future__ import annotations

import time

from sandbox.http import BadRequest
from sandbox.phones.book import FAILED, READ, STATE_NAMES, Phone, Record
from sandbox.sms.senders import SmsSender
from sandbox.webhooks.encoding import SMS_MESSAGES, SMS_REPORTS, Update, meta_json


def report_event(sender: SmsSender, record: Record, state: int) -> Update | None:
    """The report on one of our messages; phones do not tell a gateway that an SMS was read."""
    if state == READ:
        return None
    report: dict[str, object] = {
        "message_id": record.wamid,
        "reference": record.opaque,
        "status": STATE_NAMES[state],
        "at": round(time.time(), 3),
    }
    if state == FAILED and record.error is not None:
        report["error"] = record.error["code"]
    return Update(sender.id, "", meta_json(report).replace("\\/", "/"), object=SMS_REPORTS)


def message_event(sender: SmsSender, phone: Phone, message_id: str, text: str, moment: float) -> Update:
    """A message that a phone sent to the sender."""
    message = {"message_id": message_id, "from": f"+{phone.wa_id}", "to": sender.display, "text": text, "at": moment}
    return Update(sender.id, "", meta_json(message).replace("\\/", "/"), object=SMS_MESSAGES)


def text_of(message: dict[str, object]) -> str:
    """The text of what a person wrote. Raises BadRequest for anything but a text."""
    part = message.get("text")
    if message.get("type") != "text" or not isinstance(part, dict):
        raise BadRequest("an SMS is nothing but text")
    return str(part["body"])
