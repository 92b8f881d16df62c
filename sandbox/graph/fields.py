"""Small checks of single fields, each raising the error that the Graph API gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.graph.errors import GraphError

Json = dict[str, Any]


def missing(name: str) -> GraphError:
    return GraphError(131008, f"Parameter {name} is required")


def bad(details: str) -> GraphError:
    return GraphError(131009, details)


def text(
    value: Json, key: str, name: str, longest: int, *, optional: bool = False, label: str | None = None
) -> str | None:
    """The text at `key`, not empty and at most `longest` characters. `label` is used in the too-long message."""
    found = value.get(key)
    if found is None or found == "":
        if optional:
            return None
        raise missing(name)
    if not isinstance(found, str):
        raise GraphError(100, f"Param {name} must be a string")
    if len(found) > longest:
        raise bad(f"{label or name} is too long. Max length is {longest}")
    return found


def choice(value: object, name: str, choices: Iterable[str]) -> None:
    if value is None:
        raise missing(name)
    if value not in tuple(choices):
        raise GraphError(100, f"Param {name} must be one of {{{', '.join(choices)}}}")


def items(value: object, name: str, fewest: int, most: int) -> list[Any]:
    """A list with `fewest` to `most` items."""
    if value is None:
        raise missing(name)
    if not isinstance(value, list):
        raise GraphError(100, f"Param {name} must be an array")
    if not fewest <= len(value) <= most:
        raise bad(f"Invalid {name} count. Min allowed: {fewest}, Max allowed: {most}")
    return value


def objects(value: object, name: str, fewest: int, most: int) -> list[Json]:
    """A list of objects."""
    found = items(value, name, fewest, most)
    if not all(isinstance(item, dict) for item in found):
        raise GraphError(100, f"Param {name} must be an array of objects")
    return found


def link_or_id(value: Json, name: str) -> None:
    """Exactly one of `id` (digits) and `link` (an http or https URL)."""
    link, media_id = value.get("link"), value.get("id")
    if (link is None) == (media_id is None):
        raise (
            missing(f"{name}.id or {name}.link (one of them)")
            if link is None
            else bad(f"{name}: give either id or link, not both")
        )
    if link is not None and not (isinstance(link, str) and link.startswith(("http://", "https://"))):
        raise bad(f"{name}.link must be an http or https URL")
    if media_id is not None and not (str(media_id).isascii() and str(media_id).isdigit()):
        raise bad(f"{name}.id must be the id of an uploaded media file")


def number_like(value: Json, key: str, name: str, largest: float) -> None:
    """A number, or text that is one, between -largest and largest."""
    found = value.get(key)
    if found is None:
        raise missing(name)
    try:
        number = float(found) if isinstance(found, int | float | str) and not isinstance(found, bool) else None
    except ValueError:
        number = None
    if number is None or not -largest <= number <= largest:
        raise bad(f"{name} must be a number from -{largest:g} to {largest:g}")
