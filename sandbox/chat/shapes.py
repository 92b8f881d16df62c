"""Messages of the send API in the form that the phones draw, which is that of the other channel."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

KINDS = {"image": "image", "video": "video", "audio": "audio", "file": "document"}


def drawn(message: Json) -> Json:
    """`{"type": T, T: {...}}` of a checked message."""
    attachment = message.get("attachment")
    if attachment is None:
        replies = message.get("quick_replies") or []
        buttons = [(reply.get("title", "…"), reply.get("payload", "")) for reply in replies]
        return _buttons(message["text"], buttons, [])
    if attachment["type"] != "template":
        kind = KINDS[attachment["type"]]
        return {"type": kind, kind: {"link": attachment["payload"]["url"]}}
    payload = attachment["payload"]
    if payload["template_type"] == "button":
        return _template(payload["text"], payload["buttons"])
    card = payload["elements"][0]
    more = [f"+ {element['title']}" for element in payload["elements"][1:]]
    text = "\n".join(filter(None, [f"*{card['title']}*", card.get("subtitle"), *more]))
    return _template(text, [button for element in payload["elements"] for button in element.get("buttons", [])])


def _template(text: str, buttons: list[Json]) -> Json:
    links = [button for button in buttons if button["type"] == "web_url"]
    taps = [(button["title"], button["payload"]) for button in buttons if button["type"] == "postback"]
    return _buttons(text, taps, links)


def _buttons(text: str, taps: list[tuple[str, str]], links: list[Json]) -> Json:
    if not links and not taps:
        return {"type": "text", "text": {"body": text}}
    if links and not taps:
        parameters = {"display_text": links[0]["title"], "url": links[0]["url"]}
        action: Json = {"name": "cta_url", "parameters": parameters}
        return {"type": "interactive", "interactive": {"type": "cta_url", "body": {"text": text}, "action": action}}
    action = {"buttons": [{"type": "reply", "reply": {"id": payload, "title": title}} for title, payload in taps]}
    return {"type": "interactive", "interactive": {"type": "button", "body": {"text": text}, "action": action}}
