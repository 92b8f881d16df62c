"""What the send API refuses: Meta's limits of messages, each with error 100."""

from __future__ import annotations

from typing import Any

from sandbox.chat.pages import MESSENGER, Product
from sandbox.graph.errors import GraphError

Json = dict[str, Any]

TYPES = ("RESPONSE", "UPDATE", "MESSAGE_TAG")
HUMAN_AGENT = "HUMAN_AGENT"
ACTIONS = ("typing_on", "typing_off", "mark_seen", "react", "unreact")


def bad(details: str) -> GraphError:
    """Error 100 with a text that says what is wrong."""
    return GraphError(100, message=f"(#100) {details}", bare=True)


def check_envelope(body: Json, product: Product) -> None:
    """`messaging_type` and `tag`; Instagram needs neither."""
    kind = body.get("messaging_type")
    if (kind is None and product.name == MESSENGER) or (kind is not None and kind not in TYPES):
        raise bad("messaging_type must be RESPONSE, UPDATE or MESSAGE_TAG")
    if (kind == "MESSAGE_TAG") != (body.get("tag") is not None) or body.get("tag") not in (None, HUMAN_AGENT):
        raise bad("Invalid message tag: only HUMAN_AGENT is allowed, with messaging_type MESSAGE_TAG")


def check_message(message: Any, product: Product) -> None:
    """Text or attachment, never both, within the product's limits."""
    if not isinstance(message, dict) or ("text" in message) == ("attachment" in message):
        raise bad("message must have either text or attachment")
    if "text" in message:
        _check_text(message["text"], product)
    else:
        _check_attachment(message["attachment"])
    replies = message.get("quick_replies", [])
    if not isinstance(replies, list) or len(replies) > 13:
        raise bad("quick_replies must be a list of at most 13")
    for reply in replies:
        is_text = isinstance(reply, dict) and reply.get("content_type") == "text"
        if is_text and not (_short(reply.get("title"), 20) and _short(reply.get("payload"), 1000)):
            raise bad("quick_replies need a title of 20 and a payload of 1000 characters at most")
    metadata = message.get("metadata", "")
    if not isinstance(metadata, str) or len(metadata) > 1000:
        raise bad("metadata must be a text of at most 1000 characters")


def _check_text(text: Any, product: Product) -> None:
    if not isinstance(text, str) or not text:
        raise bad("message.text must be a text")
    if product.name == MESSENGER and len(text) > 2000:
        raise bad("Length of param message[text] must be less than or equal to 2000")
    if product.name != MESSENGER and len(text.encode("utf-8")) > 1000:
        raise bad("Length of param message[text] must be less than or equal to 1000 bytes")


def _check_attachment(attachment: Any) -> None:
    kind = attachment.get("type") if isinstance(attachment, dict) else None
    payload = attachment.get("payload") if isinstance(attachment, dict) else None
    if kind not in ("image", "video", "audio", "file", "template") or not isinstance(payload, dict):
        raise bad("attachment needs a type (image, video, audio, file, template) and a payload")
    if kind != "template":
        if not str(payload.get("url", "")).startswith(("http://", "https://")):
            raise bad("attachment.payload.url must be a URL")
    elif payload.get("template_type") == "button":
        if not _short(payload.get("text"), 640) or not _are_buttons(payload.get("buttons"), 1):
            raise bad("A button template needs a text of 640 characters and one to three buttons")
    elif payload.get("template_type") != "generic" or not _are_cards(payload.get("elements")):
        raise bad("A generic template needs one to ten elements with a title of 80 characters and up to three buttons")


def _are_cards(elements: Any) -> bool:
    return (
        isinstance(elements, list)
        and 1 <= len(elements) <= 10
        and all(
            isinstance(card, dict) and _short(card.get("title"), 80) and _are_buttons(card.get("buttons", []), 0)
            for card in elements
        )
    )


def _are_buttons(buttons: Any, least: int) -> bool:
    if not isinstance(buttons, list) or not least <= len(buttons) <= 3:
        return False
    return all(
        isinstance(button, dict)
        and _short(button.get("title"), 20)
        and (button.get("type") == "web_url" and isinstance(button.get("url"), str)
             or button.get("type") in ("postback", "phone_number") and _short(button.get("payload"), 1000))
        for button in buttons
    )  # fmt: skip


def _short(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest
