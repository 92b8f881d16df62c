"""How many SMS a text costs, and why: GSM 7-bit or UCS-2, segments, the characters that make it dearer.

Alphabets and limits: 3GPP TS 23.038 (default alphabet and extension table), TS 23.040 (140 octets per message, six of
them for the concatenation header): 160 or 153 septets, 70 or 67 UTF-16 code units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Encoding = Literal["gsm7", "ucs2"]

BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each takes two septets: an escape and the character.
EXTENSION: Final = "\f^{}\\[~]|€"
SINGLE: Final[dict[Encoding, int]] = {"gsm7": 160, "ucs2": 70}
JOINED: Final[dict[Encoding, int]] = {"gsm7": 153, "ucs2": 67}
_SEPTETS: Final = dict.fromkeys(BASIC, 1) | dict.fromkeys(EXTENSION, 2)

# What word processors put in place of plain characters, and what is meant.
PLAIN: Final = {
    "‘": "'", "’": "'", "‚": "'", "′": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "–": "-", "—": "-",
    "‐": "-", "‑": "-", "−": "-", "…": "...", "•": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200b": "",
    "\ufeff": "", "\t": " ", "œ": "oe", "Œ": "OE", "ç": "c", "ê": "e", "â": "a", "î": "i", "ô": "o", "û": "u", "ë": "e",
    "ï": "i", "À": "A", "È": "E", "Ê": "E", "Ô": "O", "á": "a", "í": "i", "ó": "o", "ú": "u", "Á": "A", "Í": "I",
    "Ó": "O", "Ú": "U", "ã": "a", "õ": "o",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cause:
    """A character that costs: `position` is its place in the text, counted in characters from 0."""

    character: str
    position: int
    reason: Literal["not_in_gsm7", "takes_two"]


@dataclass(frozen=True, slots=True)
class TextCost:
    """`units` are septets or UTF-16 code units, `remaining` those that the last segment still takes.

    `because`: up to five characters that forced UCS-2; when there are none, those that take two septets.
    """

    encoding: Encoding
    segments: int
    units: int
    per_segment: int
    remaining: int
    because: tuple[Cause, ...]


def text_cost(text: str) -> TextCost:
    """Encoding, segments and their causes of `text`; an empty text is one empty message."""
    foreign = [Cause(char, place, "not_in_gsm7") for place, char in enumerate(text) if char not in _SEPTETS]
    encoding: Encoding = "ucs2" if foreign else "gsm7"
    causes = foreign or [Cause(char, place, "takes_two") for place, char in enumerate(text) if char in EXTENSION]
    parts = [sum(_units(char, encoding) for char in part) for part in segments_of(text)]
    per_segment = SINGLE[encoding] if len(parts) == 1 else JOINED[encoding]
    return TextCost(encoding, len(parts), sum(parts), per_segment, per_segment - parts[-1], tuple(_distinct(causes)))


def segments_of(text: str) -> list[str]:
    """The parts in which `text` travels: an escape pair and a surrogate pair are never torn apart."""
    encoding: Encoding = "gsm7" if all(char in _SEPTETS for char in text) else "ucs2"
    if sum(_units(char, encoding) for char in text) <= SINGLE[encoding]:
        return [text]
    parts, start, used = [], 0, 0
    for place, char in enumerate(text):
        units = _units(char, encoding)
        if used + units > JOINED[encoding]:
            parts.append(text[start:place])
            start, used = place, 0
        used += units
    return [*parts, text[start:]]


def text_plain(text: str) -> str:
    """`text` with what has a close equivalent in GSM 7-bit replaced by it: a suggestion, never done unasked."""
    return "".join(char if char in _SEPTETS else PLAIN.get(char, char) for char in text)


def _units(char: str, encoding: Encoding) -> int:
    if encoding == "gsm7":
        return _SEPTETS[char]
    return 2 if ord(char) > 0xFFFF else 1


def _distinct(causes: list[Cause]) -> Iterator[Cause]:
    seen: set[str] = set()
    for cause in causes:
        if cause.character not in seen:
            seen.add(cause.character)
            yield cause
        if len(seen) == 5:
            return
