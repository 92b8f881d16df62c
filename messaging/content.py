"""Filling `{{key}}` variables and showing content as one line of text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from tenants.errors import InvalidInput

_VARIABLE = re.compile(r"\{\{\s*([\w.\-]{1,64})\s*\}\}")
MASK = "••••••"
# The key that content has instead of its text once it is no longer kept: {"type": "text", "removed": true}.
CONTENT_REMOVED = "removed"


def content_fill(content: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """`content` with `{{key}}` replaced in every text of it. Raises `InvalidInput` variable_missing, naming the key.

    A value is never filled again, so a value that contains `{{...}}` stays as it is.
    """
    return {key: _fill(value, variables) for key, value in content.items()}


def _fill(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _fill_text(value, variables) if "{{" in value else value
    if isinstance(value, Mapping):
        return {key: _fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, variables) for item in value]
    return value


def _fill_text(text: str, variables: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            raise InvalidInput(
                "variable_missing",
                _("The variable %(name)s has no value.") % {"name": name},
                {f"variables.{name}": _("is missing")},
            )
        return variables[name]

    return _VARIABLE.sub(replace, text)


def content_preview(content: Mapping[str, Any], *, is_sensitive: bool, limit: int = 80) -> str:
    """One line that tells people what the message says; masked when the message is sensitive."""
    if is_sensitive:
        return MASK
    if content.get(CONTENT_REMOVED) is True:
        return _("The text is no longer kept.")
    kind = str(content.get("type", ""))
    if content.get("revoked"):
        return f"[{kind}: taken back]"
    part = content.get(kind)
    text = ""
    if isinstance(part, Mapping):
        body = part.get("body")
        text = str(
            (body.get("text") if isinstance(body, Mapping) else body)
            or part.get("caption")
            or part.get("text")
            or part.get("name")
            or part.get("emoji")
            or part.get("filename")
            or part.get("link")
            or ""
        )
    line = " ".join(text.split()) or f"[{kind}]"
    return line if len(line) <= limit else line[: limit - 1] + "…"
