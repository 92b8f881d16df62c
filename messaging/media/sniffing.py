"""What a file is, by its first bytes: what senders declare is not believed."""

from __future__ import annotations

import re
from typing import Final

HEAD_BYTES: Final = 4096
# The beginning of a file -> its type. Sources: the formats' own specifications.
_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"#!AMR", "audio/amr"),
    (b"ID3", "audio/mpeg"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole"),
    (b"{\\rtf", "application/rtf"),
)
# Texts that a browser would run.
_ACTIVE: Final = re.compile(rb"<\s*(?:!doctype\s+html|html|head|body|script|svg|iframe|xml|\?xml)", re.IGNORECASE)
# Declared type -> what its content looks like; types that are not here look like themselves.
_LOOKS: Final[dict[str, frozenset[str]]] = {
    "audio/opus": frozenset({"audio/ogg"}),
    "audio/mp4": frozenset({"video/mp4"}),
    "video/3gpp": frozenset({"video/3gpp", "video/mp4"}),
    "video/mp4": frozenset({"video/mp4", "video/3gpp"}),
    "text/csv": frozenset({"text/plain"}),
    **dict.fromkeys(
        ("application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"),
        frozenset({"application/x-ole"}),
    ),
    **dict.fromkeys(
        (
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        frozenset({"application/zip"}),
    ),
}


def bare_type(declared: str) -> str:
    """The MIME type without parameters, in lower case."""
    return declared.partition(";")[0].strip().lower()


def sniff(head: bytes) -> str:
    """The type that the first `HEAD_BYTES` of a file show, or "" when they show none that is known."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return "video/3gpp" if head[8:11] == b"3gp" else "video/mp4"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # ADTS has no layer; all MPEG audio has one.
        return "audio/aac" if head[1] & 0xF6 == 0xF0 else "audio/mpeg"
    if b"\x00" in head or not _is_text(head):
        return ""
    return "text/html" if _ACTIVE.search(head) else "text/plain"


def looks_like(declared: str, found: str) -> bool:
    """Whether content of type `found` may be a file of type `declared`."""
    return found in _LOOKS.get(declared, frozenset({declared}))


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end in the middle of a character.
        return error.start >= len(head) - 3
    return True
