"""What WhatsApp takes: Meta's limits of each content type, checked before a message is queued.

Numbers: Meta's reference of the messages endpoint. Fields that the reference does not know are passed on untouched, so
that a new one needs no release of ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from messaging.drivers.base import ContentError
from messaging.drivers.problems import Problems
from messaging.drivers.texts import marked as _
from messaging.drivers.whatsapp_cloud.interactive import check_interactive
from messaging.drivers.whatsapp_cloud.people import check_contacts
from messaging.drivers.whatsapp_cloud.template import check_template

TEXT_LENGTH: Final = 4096
CAPTION_LENGTH: Final = 1024
_CAPTIONED: Final = frozenset({"image", "video", "document"})


def validate(content: Mapping[str, Any]) -> None:
    """Raises `ContentError` with all problems at once. `content`: `{"type": T, T: {...}}`."""
    problems = Problems()
    kind = content.get("type")
    check = CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        problems.add("type", _("must be one of: %(names)s"), names=", ".join(CHECKS))
    else:
        check(problems, content)
    problems.sendable(content, "")
    if problems.fields:
        raise ContentError(problems.fields)


def check_media(problems: Problems, owner: Mapping[str, Any], kind: str, path: str) -> None:
    """A media object `{"id", "link" or "file", ...}` under `owner[kind]`; used by headers as well."""
    media = problems.object(owner, kind, path)
    if media is None:
        return
    where = f"{path}.{kind}" if path else kind
    problems.file_source(media, where, ("id", "link", "file"))
    if kind in _CAPTIONED:
        problems.text(media, "caption", where, maximum=CAPTION_LENGTH, required=False)
    elif media.get("caption") is not None:
        problems.add(f"{where}.caption", _("is not possible with %(kind)s"), kind=kind)
    if kind == "document":
        problems.text(media, "filename", where, maximum=240, required=False)
    if kind == "audio":
        problems.flag(media, "voice", where)


def _text(problems: Problems, content: Mapping[str, Any]) -> None:
    text = problems.object(content, "text", "")
    if text is not None:
        problems.text(text, "body", "text", maximum=TEXT_LENGTH)
        problems.flag(text, "preview_url", "text")


def _media(kind: str) -> Callable[[Problems, Mapping[str, Any]], None]:
    return lambda problems, content: check_media(problems, content, kind, "")


def check_location(problems: Problems, owner: Mapping[str, Any], path: str) -> None:
    """`{"latitude", "longitude", "name"?, "address"?}`; the coordinates as numbers or as texts of numbers."""
    location = problems.object(owner, "location", path)
    if location is None:
        return
    where = f"{path}.location" if path else "location"
    for key, limit in (("latitude", 90), ("longitude", 180)):
        degrees = _degrees(location.get(key))
        if degrees is None:
            problems.add(f"{where}.{key}", _("must be a number of degrees"))
        elif abs(degrees) > limit:
            problems.add(f"{where}.{key}", _("must be between -%(limit)s and %(limit)s"), limit=limit)
    for key in ("name", "address"):
        problems.text(location, key, where, maximum=1000, required=False)


def _degrees(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _location(problems: Problems, content: Mapping[str, Any]) -> None:
    check_location(problems, content, "")


def _reaction(problems: Problems, content: Mapping[str, Any]) -> None:
    reaction = problems.object(content, "reaction", "")
    if reaction is None:
        return
    problems.text(reaction, "message_id", "reaction", maximum=255)
    emoji = reaction.get("emoji")
    if not isinstance(emoji, str):
        problems.add("reaction.emoji", _('must be one emoji, or "" to take the reaction back'))
    elif emoji and not _looks_like_emoji(emoji):
        problems.add("reaction.emoji", _("must be one emoji"))


def _looks_like_emoji(value: str) -> bool:
    """Not a proof, but letters and sentences are caught: the longest emoji have some ten code points, none is ASCII."""
    return len(value) <= 20 and not value.isascii() and not any(c.isalpha() or c.isspace() for c in value)


CHECKS: Final[Mapping[str, Callable[[Problems, Mapping[str, Any]], None]]] = {
    "text": _text,
    "image": _media("image"),
    "video": _media("video"),
    "audio": _media("audio"),
    "document": _media("document"),
    "sticker": _media("sticker"),
    "location": _location,
    "contacts": check_contacts,
    "reaction": _reaction,
    "interactive": lambda problems, content: check_interactive(problems, content, check_media),
    "template": lambda problems, content: check_template(problems, content, check_media, check_location),
}
