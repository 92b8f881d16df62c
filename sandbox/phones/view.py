"""What a phone shows: messages as plain dictionaries for the inbox and for the page."""

from __future__ import annotations

import time
from typing import Any

from sandbox.graph.identifiers import formatted
from sandbox.graph.template_send import parameter_text, rendered
from sandbox.phones.book import STATE_NAMES, Phone, PhoneBook, Record

Json = dict[str, Any]

MEDIA = ("image", "video", "audio", "document", "sticker")


def inbox(phone: Phone | None) -> Json:
    """All messages that a phone received, oldest first. Failed ones never reached it."""
    records = [] if phone is None else [record for record in phone.records if not record.inbound]
    return {"messages": [_inbox_item(record) for record in records if record.error is None]}


def _inbox_item(record: Record) -> Json:
    shown = content(record)
    return {
        "to": record.phone.bsuid if record.phone.hidden else "+" + record.phone.wa_id,
        "body": body_text(shown),
        "at": _iso(record.at),
        "id": record.wamid,
        "type": record.kind,
        "status": STATE_NAMES[record.state],
        "phone_number_id": record.number.id,
        "from": "+" + record.number.display if record.number.display.isdigit() else record.number.display,
        "biz_opaque_callback_data": record.opaque,
        "buttons": shown.get("buttons", []),
        "content": shown,
    }


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"


def body_text(shown: Json) -> str:
    """The text that a person would read out: body or caption, or what stands for it."""
    kind = shown["type"]
    if kind == "location":
        place = ", ".join(part for part in (shown["name"], shown["address"]) if part)
        return place or f"{shown['latitude']}, {shown['longitude']}"
    if kind == "contacts":
        return ", ".join(card["name"] for card in shown["cards"])
    if kind == "reaction":
        return str(shown["emoji"])
    return str(shown.get("body", ""))


def conversation(phone: Phone, limit: int) -> Json:
    """The latest messages of a phone in both directions, for the page."""
    records = list(phone.records)[-limit:]
    now = time.time()
    return {
        **summary(phone),
        "typing": [number for number, until in phone.typing_until.items() if until > now],
        "messages": [_page_item(record) for record in records],
    }


def _page_item(record: Record) -> Json:
    return {
        "id": record.wamid,
        "inbound": record.inbound,
        "phone_number_id": record.number.id,
        "at": record.at,
        "status": STATE_NAMES[record.state],
        "seen": record.seen,
        "error": record.error,
        "reaction": record.reaction,
        "quoted": _quoted(record),
        "content": content(record),
    }


def _quoted(record: Record) -> str | None:
    context = record.parsed().get("context")
    if not isinstance(context, dict):
        return None
    found = context.get("message_id") or context.get("id")
    return str(found) if found else None


def summary(phone: Phone) -> Json:
    """A phone as a row of the list."""
    last = phone.records[-1] if phone.records else None
    return {
        "key": phone.key,
        "phone": None if phone.hidden else "+" + phone.wa_id,
        "user_id": phone.bsuid,
        "name": phone.name,
        "last_at": last.at if last else 0,
        "last_text": preview(content(last)) if last else "",
        "last_inbound": bool(last and last.inbound),
        "last_status": STATE_NAMES[last.state] if last else "",
        "last_id": last.wamid if last else "",
    }


def preview(shown: Json) -> str:
    text = body_text(shown)
    names = {"image": "Photo", "video": "Video", "audio": "Voice message", "document": "Document", "sticker": "Sticker"}
    label = names.get(shown["type"])
    return f"{label}: {text}" if label and text else label or text[:200]


def latest_phones(book: PhoneBook, limit: int, search: str) -> list[Json]:
    """The phones with the latest messages, newest first."""
    wanted = search.lstrip("+")
    found = [phone for phone in book.phones.values() if phone.records and wanted in phone.key]
    found.sort(key=lambda phone: phone.records[-1].at, reverse=True)
    return [summary(phone) for phone in found[:limit]]


def content(record: Record) -> Json:
    """A message in the form that the page draws; always has `type`, mostly `body`."""
    body = record.parsed()
    kind = record.kind
    value: Any = body.get(kind)
    if kind == "text":
        return {"type": "text", "body": value["body"]}
    if kind in MEDIA:
        return {"type": kind, "body": value.get("caption") or "", "media": media_reference(value)}
    if kind == "location":
        return {
            "type": "location",
            "latitude": float(value["latitude"]),
            "longitude": float(value["longitude"]),
            "name": value.get("name") or "",
            "address": value.get("address") or "",
        }
    if kind == "contacts":
        return {"type": "contacts", "cards": [_card(card) for card in value]}
    if kind == "reaction":
        return {"type": "reaction", "emoji": value.get("emoji") or "", "target": value["message_id"]}
    if kind == "interactive":
        return _interactive_reply(value) if record.inbound else _interactive(value)
    if kind == "template":
        return _template(record, value)
    if kind == "button":
        return {"type": "text", "body": value["text"]}
    return {"type": "unsupported", "body": f"({kind})"}


def media_reference(value: Json) -> Json:
    media_id = value.get("id")
    return {
        "id": str(media_id) if media_id else None,
        "link": value.get("link"),
        "filename": value.get("filename"),
        "voice": bool(value.get("voice")),
    }


def _card(card: Json) -> Json:
    phones = [str(entry.get("phone", "")) for entry in card.get("phones", [])]
    return {"name": card["name"]["formatted_name"], "phones": phones}


def _interactive(value: Json) -> Json:
    action = value["action"]
    shown: Json = {
        "type": "interactive",
        "kind": value["type"],
        "header": _header(value.get("header")),
        "body": value["body"]["text"],
        "footer": (value.get("footer") or {}).get("text", ""),
        "buttons": [],
    }
    if value["type"] == "button":
        shown["buttons"] = [
            {"type": "reply", "id": button["reply"]["id"], "text": button["reply"]["title"]}
            for button in action["buttons"]
        ]
    elif value["type"] == "list":
        shown["list"] = {"button": action["button"], "sections": action["sections"]}
    elif value["type"] == "cta_url":
        parameters = action["parameters"]
        shown["buttons"] = [{"type": "url", "text": parameters["display_text"], "url": parameters["url"]}]
    elif value["type"] == "flow":
        shown["buttons"] = [{"type": "flow", "text": action["parameters"]["flow_cta"]}]
    elif value["type"] == "location_request_message":
        shown["buttons"] = [{"type": "location_request", "text": "Send location"}]
    return shown


def _interactive_reply(value: Json) -> Json:
    reply = value.get(value["type"], {})
    return {"type": "text", "body": reply.get("title") or reply.get("body") or "", "note": reply.get("description", "")}


def _header(header: Json | None) -> Json | None:
    if not header:
        return None
    kind = header["type"]
    if kind == "text":
        return {"type": "text", "text": header["text"]}
    return {"type": kind, "media": media_reference(header[kind])}


def _template(record: Record, value: Json) -> Json:
    components = value.get("components", [])
    template = record.template
    if template is None:
        texts = [
            parameter_text(parameter)
            for component in components
            if str(component["type"]).lower() == "body"
            for parameter in component.get("parameters", [])
        ]
        body = f"{value['name']} ({value['language']['code']})" + (": " + ", ".join(texts) if texts else "")
        return {"type": "template", "name": value["name"], "body": body, "header": None, "footer": "", "buttons": []}
    shown = rendered(record.components or template.components, components)
    header = shown["header"]
    if header and header["type"] in MEDIA:
        header = {"type": header["type"], "media": media_reference(header[header["type"]])}
    return {"type": "template", "name": template.name, **shown, "header": header}


def number_row(number: Any) -> Json:
    """A business number for the page."""
    return {
        "phone_number_id": number.id,
        "waba_id": number.waba.id,
        "display_phone_number": formatted(number.display),
        "verified_name": number.verified_name,
        "assumed": number.assumed,
        "registered": number.registered,
    }
