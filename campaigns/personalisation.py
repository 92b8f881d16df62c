"""Variables in texts: `{nom} {prenom} {email} {telephone} {custom.<field>}`, each with a fallback: `{prenom|client}`.

Pure functions over texts and over message content (JSON whose texts may hold variables). A value is never filled again,
so a contact whose name is `{email}` shows just that. `{{...}}` belongs to other mechanisms and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

# The marketing document's names, and the same in English.
NAMES: Final = ("nom", "prenom", "email", "telephone")
ALIASES: Final[Mapping[str, str]] = {"name": "nom", "first_name": "prenom", "phone": "telephone"}
CUSTOM: Final = "custom."
_PLACEHOLDER: Final = re.compile(r"(?<!\{)\{[ \t]*([A-Za-z_]\w*(?:\.\w+)?)[ \t]*(?:\|([^{}]*))?\}(?!\})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a text: its canonical name (`prenom`, `custom.company`) and what stands in for an empty value."""

    name: str
    fallback: str = ""


Piece = str | Variable


def pieces(text: str) -> Iterator[Piece]:
    """The literal parts and the variables of `text`, in order; what looks like a variable but is none is literal."""
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        name = _canonical(match[1])
        if name is None:
            continue
        if match.start() > end:
            yield text[end : match.start()]
        yield Variable(name, (match[2] or "").strip(" \t"))
        end = match.end()
    if end < len(text):
        yield text[end:]


def personalise(text: str, values: Mapping[str, str]) -> str:
    """`text` with every variable replaced by its value, else by its fallback, else by nothing.

    `values`: as `contact_values` makes them; names without braces. An empty value counts as missing.
    """
    return "".join(
        piece if isinstance(piece, str) else values.get(piece.name) or piece.fallback for piece in pieces(text)
    )


def variables_of(text: str) -> list[str]:
    """The names of the variables in `text`, each once, in order of appearance."""
    return list(dict.fromkeys(piece.name for piece in pieces(text) if isinstance(piece, Variable)))


def unknown_variables(text: str) -> list[str]:
    """What looks like a variable in `text` but is none, such as `{pronom}`: customers would read the braces."""
    found = (match[1] for match in _PLACEHOLDER.finditer(text))
    return list(dict.fromkeys(name for name in found if _canonical(name) is None))


def contact_values(*, name: str, email: str, phone: str, custom: Mapping[str, Any]) -> dict[str, str]:
    """The values of one contact. `phone`: E.164 digits without +, or ""; the first name is the first word of `name`."""
    plain = name.strip(" ")
    values = {"nom": plain, "prenom": plain.split(" ", 1)[0], "email": email, "telephone": f"+{phone}" if phone else ""}
    return values | {f"{CUSTOM}{key}": _text(value) for key, value in custom.items() if value is not None}


def content_personalise(content: Any, values: Mapping[str, str]) -> Any:
    """`content` with the variables of every text in it filled in."""
    if isinstance(content, str):
        return personalise(content, values)
    if isinstance(content, Mapping):
        return {key: content_personalise(value, values) for key, value in content.items()}
    if isinstance(content, list):
        return [content_personalise(value, values) for value in content]
    return content


def texts_of(content: Any) -> Iterator[str]:
    """Every text of `content`."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from texts_of(value)
    elif isinstance(content, list):
        for value in content:
            yield from texts_of(value)


def content_variables(content: Any) -> list[str]:
    """The names of the variables in all texts of `content`, each once."""
    return list(dict.fromkeys(name for text in texts_of(content) for name in variables_of(text)))


def _canonical(name: str) -> str | None:
    if name in NAMES:
        return name
    if name.startswith(CUSTOM) and len(name) > len(CUSTOM):
        return name
    return ALIASES.get(name)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
