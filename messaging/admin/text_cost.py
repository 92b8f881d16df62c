"""What a text costs in SMS, why, and how it could cost less; shown while it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from messaging.drivers.base import Capability
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.sms_text import Cause, TextCost, text_cost, text_plain

# White space and the like are named by their number: nobody sees them.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class SmsText:
    """Sentences for people. `plain` is a cheaper way to write the text, "" when there is none; `field` its input."""

    segments: str
    room: str
    because: str
    plain: str
    cheaper: str
    field: str


def sms_text(*, channel: Channel | None, text: str, written: str | None = None, field: str = "text") -> SmsText | None:
    """None when the channel's texts do not travel in segments, or there is no text.

    `written`: what is in the form's `field` when `text` is what becomes of it for somebody.
    """
    if channel is None or not text or Capability.SEGMENTS not in driver_of(channel.kind).capabilities:
        return None
    # Browsers send line ends as two characters; what is sent has one.
    text = text.replace("\r\n", "\n")
    cost = text_cost(text)
    plain = text_plain(text)
    after = text_cost(plain)
    saves = after.segments < cost.segments
    return SmsText(
        segments=_("This text takes %(count)s SMS.") % {"count": cost.segments},
        room=_room(cost),
        because=_because(cost),
        plain=text_plain(text if written is None else written.replace("\r\n", "\n")) if saves else "",
        cheaper=_("Written in plain letters it takes %(count)s.") % {"count": after.segments} if saves else "",
        field=field,
    )


def texting_channels() -> bool:
    """Whether a connected channel of the organisation sends texts in segments."""
    kinds = Channel.objects.filter(status=Channel.Status.CONNECTED).values_list("kind", flat=True).distinct()
    return any(Capability.SEGMENTS in driver_of(kind).capabilities for kind in kinds)


def _room(cost: TextCost) -> str:
    return ngettext(
        "%(count)s more character fits in; each carries %(limit)s.",
        "%(count)s more characters fit in; each carries %(limit)s.",
        cost.remaining,
    ) % {"count": cost.remaining, "limit": cost.per_segment}


def _because(cost: TextCost) -> str:
    if not cost.because:
        return ""
    causes = ", ".join(_named(cause) for cause in cost.because[:_SHOWN])
    if cost.encoding == "ucs2":
        return _("Only 70 characters instead of 160 go into one because of %(causes)s.") % {"causes": causes}
    return _("Counted twice: %(causes)s.") % {"causes": causes}


def _named(cause: Cause) -> str:
    is_seen = cause.character.isprintable() and cause.character.strip()
    sign = cause.character if is_seen else f"U+{ord(cause.character):04X}"
    return _("“%(sign)s” (place %(place)s)") % {"sign": sign, "place": cause.position + 1}
