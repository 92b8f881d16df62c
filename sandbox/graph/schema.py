"""Checks of a message's body, type by type, with the limits of Meta's reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.graph.errors import GraphError, required
from sandbox.graph.fields import bad, choice, items, link_or_id, missing, number_like, objects, text
from sandbox.graph.interactive import check_interactive

Json = dict[str, Any]

OPAQUE_LENGTH = 512
BODY_LENGTH = 4096
CAPTION_LENGTH = 1024
CONTACTS = 257
MEDIA = ("image", "video", "audio", "document", "sticker")
WITH_CAPTION = ("image", "video", "document")


def check_message(body: Json) -> str:
    """The type of a valid message. Raises GraphError for a body that Meta would refuse."""
    if body.get("messaging_product") != "whatsapp":
        raise required("messaging_product")
    if body.get("recipient_type", "individual") not in ("individual", "group"):
        raise GraphError(100, "recipient_type must be individual or group")
    kind = body.get("type", "text")
    check = CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise GraphError(131051, f"Message type {str(kind)[:40]!r} is not supported.")
    opaque = body.get("biz_opaque_callback_data")
    if opaque is not None and not (isinstance(opaque, str) and len(opaque) <= OPAQUE_LENGTH):
        raise GraphError(100, f"biz_opaque_callback_data must be text of at most {OPAQUE_LENGTH} characters")
    context = body.get("context")
    if context is not None and not (isinstance(context, dict) and isinstance(context.get("message_id"), str)):
        raise missing("context.message_id")
    content = body.get(kind)
    if content is None:
        raise missing(kind)
    check(content)
    return str(kind)


def _object(content: object, name: str) -> Json:
    if not isinstance(content, dict):
        raise GraphError(100, f"Param {name} must be an object")
    return content


def _text(content: object) -> None:
    value = _object(content, "text")
    text(value, "body", "text.body", BODY_LENGTH)
    if not isinstance(value.get("preview_url", False), bool):
        raise bad("text.preview_url must be true or false")


def _media(kind: str) -> Callable[[object], None]:
    def check(content: object) -> None:
        value = _object(content, kind)
        link_or_id(value, kind)
        if "caption" in value and kind not in WITH_CAPTION:
            raise GraphError(100, f"Unexpected key 'caption' on param '{kind}'.")
        text(value, "caption", f"{kind}.caption", CAPTION_LENGTH, optional=True)
        if kind == "document":
            text(value, "filename", "document.filename", 240, optional=True)
        if kind == "audio" and not isinstance(value.get("voice", False), bool):
            raise bad("audio.voice must be true or false")

    return check


def _location(content: object) -> None:
    value = _object(content, "location")
    number_like(value, "latitude", "location.latitude", 90)
    number_like(value, "longitude", "location.longitude", 180)
    text(value, "name", "location.name", 1000, optional=True)
    text(value, "address", "location.address", 1000, optional=True)


def _contacts(content: object) -> None:
    for index, card in enumerate(items(content, "contacts", 1, CONTACTS)):
        where = f"contacts[{index}]"
        value = _object(card, where)
        name = value.get("name")
        if not isinstance(name, dict):
            raise missing(f"{where}.name")
        text(name, "formatted_name", f"{where}.name.formatted_name", 1000)
        if not any(isinstance(name.get(part), str) for part in NAME_PARTS):
            raise missing(f"{where}.name: one of {', '.join(NAME_PARTS)}")
        for part in ("phones", "emails", "urls", "addresses"):
            if part in value:
                objects(value[part], f"{where}.{part}", 0, 100)


NAME_PARTS = ("first_name", "last_name", "middle_name", "prefix", "suffix")


def _reaction(content: object) -> None:
    value = _object(content, "reaction")
    text(value, "message_id", "reaction.message_id", 200)
    if not isinstance(value.get("emoji"), str):
        raise missing("reaction.emoji")
    if len(value["emoji"]) > 32:
        raise bad("reaction.emoji must be a single emoji")


def _interactive(content: object) -> None:
    check_interactive(_object(content, "interactive"))


def _template(content: object) -> None:
    value = _object(content, "template")
    text(value, "name", "template.name", 512)
    language = value.get("language")
    if not isinstance(language, dict):
        raise missing("template.language")
    text(language, "code", "template.language.code", 20)
    choice(language.get("policy", "deterministic"), "template.language.policy", ("deterministic",))
    for index, component in enumerate(objects(value.get("components", []), "template.components", 0, 30)):
        where = f"template.components[{index}]"
        kind = component.get("type")
        choice(kind.lower() if isinstance(kind, str) else kind, f"{where}.type", ("header", "body", "button"))
        objects(component.get("parameters", []), f"{where}.parameters", 0, 100)


CHECKS: dict[str, Callable[[object], None]] = {
    "text": _text,
    **{kind: _media(kind) for kind in MEDIA},
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": _interactive,
    "template": _template,
}


def media_id_of(body: Json, kind: str) -> str | None:
    """The id of an uploaded file that a message refers to."""
    if kind in MEDIA:
        value = body[kind].get("id")
        return str(value) if value else None
    header = body["interactive"].get("header") if kind == "interactive" else None
    if isinstance(header, dict) and header.get("type") in MEDIA:
        value = header[header["type"]].get("id")
        return str(value) if value else None
    return None
