"""What Messenger and Instagram take: texts, quick replies, files by link, cards with buttons.

Numbers: Meta's references of the send API. Texts and buttons have the same shape as on other channels, so that one
content fits several; what a product cannot show is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from messaging.drivers.base import ContentError
from messaging.drivers.problems import Problems
from messaging.drivers.texts import marked as _

QUICK_REPLIES: Final = 13
LABEL_LENGTH: Final = 20
PAYLOAD_LENGTH: Final = 1000
BUTTONS: Final = 3
BUTTON_TEXT_LENGTH: Final = 640
CARDS: Final = 10
CARD_TEXT_LENGTH: Final = 80
HUMAN_AGENT: Final = "HUMAN_AGENT"
# Our type of a file -> Meta's type of an attachment.
ATTACHMENTS: Final[Mapping[str, str]] = {"image": "image", "video": "video", "audio": "audio", "document": "file"}
_TAPS: Final = ("web_url", "postback", "phone_number")


@dataclass(frozen=True, slots=True)
class TextLimit:
    """The longest text, in characters or in bytes of UTF-8."""

    maximum: int
    in_bytes: bool = False

    def check(self, problems: Problems, owner: Mapping[str, Any], key: str, path: str) -> None:
        """Note what is wrong with the text `owner[key]`."""
        if not self.in_bytes:
            problems.text(owner, key, path, maximum=self.maximum)
            return
        value = problems.text(owner, key, path)
        size = len(value.encode("utf-8", "surrogatepass")) if value else 0
        if size > self.maximum:
            problems.add(
                f"{path}.{key}", _("has %(count)s bytes, at most %(most)s are allowed"), count=size, most=self.maximum
            )


def validate(content: Mapping[str, Any], text_limit: TextLimit) -> None:
    """Raises `ContentError` with all problems at once. `content`: `{"type": T, T: {...}, "tag"?: "HUMAN_AGENT"}`."""
    problems = Problems()
    kind = content.get("type")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        problems.add("type", _("must be one of: %(names)s"), names=", ".join(_CHECKS))
    else:
        check(problems, content, text_limit)
    if content.get("tag") is not None and content["tag"] != HUMAN_AGENT:
        problems.add("tag", _("must be %(what)s"), what=HUMAN_AGENT)
    problems.sendable(content, "")
    if problems.fields:
        raise ContentError(problems.fields)


def message_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """The send API's `message` of a valid content."""
    kind = content["type"]
    part = content[kind]
    if kind == "text":
        return {"text": part["body"]} | _quick(part.get("quick_replies") or [])
    if kind == "template":
        return {"attachment": {"type": "template", "payload": part}}
    if kind == "interactive":
        return _interactive(part)
    payload = {"url": part["link"]}
    if "is_reusable" in part:
        payload["is_reusable"] = part["is_reusable"]
    return {"attachment": {"type": ATTACHMENTS[kind], "payload": payload}}


def _quick(replies: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {"quick_replies": [{"content_type": "text"} | dict(reply) for reply in replies]} if replies else {}


def _interactive(part: Mapping[str, Any]) -> dict[str, Any]:
    text, action = part["body"]["text"], part["action"]
    if part["type"] == "button":
        replies = [button["reply"] for button in action["buttons"]]
        return {"text": text} | _quick([{"title": reply["title"], "payload": reply["id"]} for reply in replies])
    link = action["parameters"]
    button = {"type": "web_url", "url": link["url"], "title": link["display_text"]}
    payload = {"template_type": "button", "text": text, "buttons": [button]}
    return {"attachment": {"type": "template", "payload": payload}}


def _text(problems: Problems, content: Mapping[str, Any], limit: TextLimit) -> None:
    text = problems.object(content, "text", "")
    if text is None:
        return
    limit.check(problems, text, "body", "text")
    for path, reply in problems.objects(text, "quick_replies", "text", minimum=0, maximum=QUICK_REPLIES):
        kind = problems.choice(reply, "content_type", path, ("text", "user_phone_number", "user_email"), required=False)
        if kind in (None, "text"):
            problems.text(reply, "title", path, maximum=LABEL_LENGTH)
            problems.text(reply, "payload", path, maximum=PAYLOAD_LENGTH)
        if reply.get("image_url") is not None:
            problems.url(reply, "image_url", path)


def _file(kind: str) -> Callable[[Problems, Mapping[str, Any], TextLimit], None]:
    def check(problems: Problems, content: Mapping[str, Any], limit: TextLimit) -> None:
        media = problems.object(content, kind, "")
        if media is None:
            return
        if media.get("id") is not None:
            problems.add(f"{kind}.id", _("is not possible here, give a link"))
        problems.file_source(media, kind, ("link", "file"))
        if media.get("caption") is not None:
            problems.add(f"{kind}.caption", _("is not possible here, send the text as a message of its own"))
        problems.flag(media, "is_reusable", kind)

    return check


def _interactive_check(problems: Problems, content: Mapping[str, Any], limit: TextLimit) -> None:
    part = problems.object(content, "interactive", "")
    if part is None:
        return
    kind = problems.choice(part, "type", "interactive", ("button", "cta_url"))
    for name in ("header", "footer"):
        if part.get(name) is not None:
            problems.add(f"interactive.{name}", _("is not possible here"))
    body = problems.object(part, "body", "interactive")
    action = problems.object(part, "action", "interactive")
    if body is not None and kind == "button":
        limit.check(problems, body, "text", "interactive.body")
    elif body is not None:
        problems.text(body, "text", "interactive.body", maximum=BUTTON_TEXT_LENGTH)
    if action is not None and kind == "button":
        _replies(problems, action)
    elif action is not None and kind == "cta_url":
        link = problems.object(action, "parameters", "interactive.action")
        if link is not None:
            problems.text(link, "display_text", "interactive.action.parameters", maximum=LABEL_LENGTH)
            problems.url(link, "url", "interactive.action.parameters")


def _replies(problems: Problems, action: Mapping[str, Any]) -> None:
    ids = []
    for path, button in problems.objects(action, "buttons", "interactive.action", maximum=QUICK_REPLIES):
        problems.choice(button, "type", path, ("reply",))
        reply = problems.object(button, "reply", path)
        if reply is not None:
            problems.text(reply, "title", f"{path}.reply", maximum=LABEL_LENGTH)
            ids.append((f"{path}.reply.id", problems.text(reply, "id", f"{path}.reply", maximum=PAYLOAD_LENGTH)))
    problems.unique(ids, _("the id of a button must be unique"))


def _reaction(problems: Problems, content: Mapping[str, Any], limit: TextLimit) -> None:
    reaction = problems.object(content, "reaction", "")
    if reaction is not None:
        problems.text(reaction, "message_id", "reaction", maximum=255)
        if not isinstance(reaction.get("emoji"), str) or len(reaction["emoji"]) > 20:
            problems.add("reaction.emoji", _('must be one emoji, or "" to take the reaction back'))


def _template(problems: Problems, content: Mapping[str, Any], limit: TextLimit) -> None:
    """Meta's own payload: `template_type` generic (cards) or button."""
    template = problems.object(content, "template", "")
    if template is None:
        return
    kind = problems.choice(template, "template_type", "template", ("generic", "button"))
    if kind == "button":
        problems.text(template, "text", "template", maximum=BUTTON_TEXT_LENGTH)
        _buttons(problems, template, "template", minimum=1)
    elif kind == "generic":
        for path, card in problems.objects(template, "elements", "template", maximum=CARDS):
            problems.text(card, "title", path, maximum=CARD_TEXT_LENGTH)
            problems.text(card, "subtitle", path, maximum=CARD_TEXT_LENGTH, required=False)
            if card.get("image_url") is not None:
                problems.url(card, "image_url", path)
            _buttons(problems, card, path, minimum=0)


def _buttons(problems: Problems, owner: Mapping[str, Any], path: str, *, minimum: int) -> None:
    for where, button in problems.objects(owner, "buttons", path, minimum=minimum, maximum=BUTTONS):
        kind = problems.choice(button, "type", where, _TAPS)
        problems.text(button, "title", where, maximum=LABEL_LENGTH)
        if kind == "web_url":
            problems.url(button, "url", where)
        elif kind is not None:
            problems.text(button, "payload", where, maximum=PAYLOAD_LENGTH)


_CHECKS: Final[Mapping[str, Callable[[Problems, Mapping[str, Any], TextLimit], None]]] = {
    "text": _text,
    **{kind: _file(kind) for kind in ATTACHMENTS},
    "interactive": _interactive_check,
    "template": _template,
    "reaction": _reaction,
}
