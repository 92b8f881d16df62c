"""What may be kept of a receiver's answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# `"token": "..."`, `api_key=...`, `Bearer ...`: an answer that echoes somebody's credentials.
_CREDENTIAL: Final = re.compile(
    r"(?i)((?:bearer\s+|(?:pass(?:word|wd)?|secret|token|api[_-]?key|authorization)[\"']?\s*[:=]\s*[\"']?))([^\s\"'&,;}]{6,})"
)
HIDDEN: Final = "•••"


def head_redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` without control characters, our `secrets`, and what looks like a credential."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _CREDENTIAL.sub(rf"\1{HIDDEN}", _CONTROL.sub("", text))
