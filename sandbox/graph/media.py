"""Media: upload, look-up, download with the token, deletion. Bounded in memory; the oldest files go first."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.graph.account import SUCCESS
from sandbox.graph.errors import GraphError, required, unknown_object
from sandbox.graph.identifiers import object_id
from sandbox.graph.multipart import MultipartError, parse_multipart
from sandbox.graph.tokens import token_of
from sandbox.http import Reply, Request, json_reply

if TYPE_CHECKING:
    from sandbox.graph.account import Number
    from sandbox.world import World

MEGABYTE = 1024 * 1024
URL_LIFE_S = 300
# Accepted types and their limits in bytes, as in Meta's media reference.
LIMITS: dict[str, int] = {
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * MEGABYTE),
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * MEGABYTE),
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), 16 * MEGABYTE),
    "image/webp": 500 * 1024,
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
        100 * MEGABYTE,
    ),
}


@dataclass(frozen=True, slots=True)
class MediaFile:
    """An uploaded file."""

    id: str
    mime_type: str
    content: bytes
    sha256: bytes
    filename: str
    waba_id: str


class MediaStore:
    """Files by id, and the download keys that were handed out."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self.reset()

    def reset(self) -> None:
        self.files: OrderedDict[str, MediaFile] = OrderedDict()
        self.size = 0
        self._keys: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def add(self, content: bytes, mime_type: str, filename: str, waba_id: str) -> MediaFile:
        file = MediaFile(object_id("20"), mime_type, content, hashlib.sha256(content).digest(), filename, waba_id)
        self.files[file.id] = file
        self.size += len(content)
        while self.size > self._limit and len(self.files) > 1:
            self.remove(next(iter(self.files)))
        return file

    def remove(self, media_id: str) -> None:
        file = self.files.pop(media_id, None)
        if file is not None:
            self.size -= len(file.content)

    def key_for(self, file: MediaFile) -> str:
        """A download key that lives five minutes."""
        key = secrets.token_urlsafe(12)
        self._keys[key] = (file.id, time.time() + URL_LIFE_S)
        if len(self._keys) > 10_000:
            self._keys.popitem(last=False)
        return key

    def by_key(self, key: str) -> MediaFile | None:
        media_id, until = self._keys.get(key, ("", 0.0))
        return self.files.get(media_id) if until > time.time() else None


def upload(world: World, number: Number, request: Request) -> Reply:
    """POST /{number}/media, multipart."""
    try:
        parts = parse_multipart(request.headers.get("content-type") or "", request.body)
    except MultipartError as error:
        raise GraphError(100, str(error)) from None
    product = parts.get("messaging_product")
    if product is None or product.content != b"whatsapp":
        raise required("messaging_product")
    file = parts.get("file")
    if file is None:
        raise required("file")
    declared = parts["type"].content.decode("utf-8", "replace") if "type" in parts else ""
    mime_type = file.content_type or declared
    base = mime_type.partition(";")[0].strip().lower()
    if base not in LIMITS:
        allowed = ", ".join(LIMITS)
        raise GraphError(100, f"Param file must be a file with one of the following types: {allowed}. Got {base[:80]}.")
    if not file.content or len(file.content) > LIMITS[base]:
        raise GraphError(131009, f"The file has {len(file.content)} bytes; {base} can have 1 to {LIMITS[base]}.")
    stored = world.media.add(file.content, mime_type, file.filename, number.waba.id)
    return json_reply({"id": stored.id})


def show(world: World, file: MediaFile, request: Request) -> Reply:
    """GET /{media_id}: where to download it from, for five minutes."""
    wanted = request.query.get("phone_number_id")
    if wanted is not None:
        number = world.accounts.numbers.get(wanted)
        if number is None or number.waba.id != file.waba_id:
            raise unknown_object(file.id, "GET")
    return json_reply(
        {
            "messaging_product": "whatsapp",
            "url": download_url(world, file),
            "mime_type": file.mime_type,
            "sha256": file.sha256.hex(),
            "file_size": len(file.content),
            "id": file.id,
        }
    )


def download_url(world: World, file: MediaFile) -> str:
    ext = int(time.time()) + URL_LIFE_S
    return f"{world.config.public_url}/_media/?mid={file.id}&ext={ext}&hash={world.media.key_for(file)}"


def download(world: World, request: Request) -> Reply:
    """GET of a download address: needs the token; 404 when the address is old."""
    token = token_of(request)
    if not token or not world.tokens.valid(token):
        return Reply(401, b"", [("content-type", "text/plain")])
    file = world.media.by_key(request.query.get("hash", ""))
    if file is None or file.id != request.query.get("mid"):
        return Reply(404, b"", [("content-type", "text/plain")])
    return Reply(200, file.content, [("content-type", file.mime_type), ("x-content-type-options", "nosniff")])


def delete(world: World, file: MediaFile) -> Reply:
    """DELETE /{media_id}."""
    world.media.remove(file.id)
    return json_reply(SUCCESS)
