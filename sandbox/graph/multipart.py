"""Reads multipart/form-data bodies (RFC 7578) that are already in memory."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

PARTS = 20


class MultipartError(ValueError):
    """The body is not multipart/form-data."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field: its bytes, and type and name when it is a file."""

    content: bytes
    content_type: str
    filename: str


def parse_multipart(content_type: str, body: bytes) -> dict[str, Part]:
    """The fields by name; the last of several with one name wins. Raises MultipartError."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise MultipartError("the body must be multipart/form-data with a boundary")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise MultipartError("the multipart body is incomplete")
    if len(pieces) - 2 > PARTS:
        raise MultipartError(f"the multipart body has more than {PARTS} parts")
    return dict(_part(piece) for piece in pieces[1:-1])


def _part(piece: bytes) -> tuple[str, Part]:
    head, separator, content = piece.partition(b"\r\n\r\n")
    if not separator:
        raise MultipartError("a part has no header")
    message = Message()
    for line in head.decode("utf-8", "replace").split("\r\n"):
        key, colon, value = line.partition(":")
        if colon:
            message[key.strip()] = value.strip()
    name = message.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise MultipartError("a part has no name")
    filename = message.get_param("filename", header="content-disposition")
    return name, Part(content, message.get("content-type", ""), filename if isinstance(filename, str) else "")
