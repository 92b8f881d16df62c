"""Media stored at Meta: limits, upload, look-up and download."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import orjson

from messaging.drivers.base import Ambiguous, ChannelInfo, HttpRequest, HttpResponse, MediaLimit
from messaging.drivers.meta.graph import authorization, graph_url
from messaging.drivers.uploads import MediaReference, UploadFile
from messaging.drivers.whatsapp_cloud.config import phone_url
from messaging.drivers.whatsapp_cloud.errors import ERRORS

_MB: Final = 1024 * 1024
# Meta's "Supported media types".
LIMITS: Final[Mapping[str, MediaLimit]] = {
    "image": MediaLimit(5 * _MB, frozenset({"image/jpeg", "image/png"})),
    "video": MediaLimit(16 * _MB, frozenset({"video/mp4", "video/3gpp"})),
    "audio": MediaLimit(
        16 * _MB, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"})
    ),
    "document": MediaLimit(
        100 * _MB,
        frozenset(
            {
                "application/pdf",
                "application/msword",
                "application/vnd.ms-excel",
                "application/vnd.ms-powerpoint",
                "application/vnd.openxmlformats-officedocument.presentationml.presentation",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                "text/plain",
            }
        ),
    ),
    # 100 KB when still, 500 KB when animated; which one it is shows only inside of the file.
    "sticker": MediaLimit(500 * 1024, frozenset({"image/webp"})),
}
# Hosts that hand out media; the access token must not go anywhere else.
_MEDIA_HOSTS: Final = re.compile(r"(?:[a-z0-9-]+\.)*(?:fbsbx\.com|facebook\.com|fbcdn\.net|whatsapp\.net)")


def build_upload(channel: ChannelInfo, version: str, file: UploadFile) -> HttpRequest:
    """POST multipart `/{phone_number_id}/media`."""
    boundary = secrets.token_hex(16)
    filename = re.sub(r'[\r\n"\\]', "_", file.filename or "file")
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("messaging_product", "whatsapp"), ("type", file.content_type))
    )
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        f"Content-Type: {file.content_type}\r\n\r\n"
    )
    headers = authorization(channel) | {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    body = b"".join((head.encode(), file.content, f"\r\n--{boundary}--\r\n".encode()))
    return HttpRequest("POST", f"{phone_url(channel, version)}/media", headers, body)


def read_upload(response: HttpResponse) -> str:
    """The media id; Meta keeps the file for 30 days."""
    media_id = _object(response).get("id")
    if not isinstance(media_id, str) or not media_id:
        raise Ambiguous(f"HTTP {response.status} without a media id")
    return media_id


def build_get(channel: ChannelInfo, version: str, media_id: str) -> HttpRequest:
    """GET `/{media_id}?phone_number_id=`: Meta then checks that the file belongs to this number."""
    path = f"{quote(media_id, safe='')}?phone_number_id={quote(channel.external_id, safe='')}"
    return HttpRequest("GET", f"{graph_url(channel, version)}/{path}", authorization(channel))


def read_get(response: HttpResponse) -> MediaReference:
    """The URL lives for 5 minutes. `file_size` comes as a number or as a string of digits."""
    answer = _object(response)
    if not isinstance(answer.get("url"), str):
        raise Ambiguous(f"HTTP {response.status} without a media URL")
    size = str(answer.get("file_size", ""))
    return MediaReference(
        media_id=str(answer.get("id", "")),
        url=answer["url"],
        content_type=str(answer.get("mime_type", "")),
        sha256=str(answer.get("sha256", "")),
        size=int(size) if size.isascii() and size.isdigit() else 0,
    )


def build_download(channel: ChannelInfo, reference: MediaReference) -> HttpRequest:
    """GET of the short-lived URL. It needs the access token, which goes to Meta's hosts and the channel's own only."""
    parts, base = urlsplit(reference.url), urlsplit(channel.base_url)
    own = (parts.scheme, parts.netloc) == (base.scheme, base.netloc)
    if not own and not (parts.scheme == "https" and _MEDIA_HOSTS.fullmatch(parts.hostname or "")):
        raise ValueError(f"not a media address of Meta: {parts.scheme}://{parts.hostname}")
    return HttpRequest("GET", reference.url, authorization(channel))


def _object(response: HttpResponse) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise ERRORS.in_response(response) from None
    if not isinstance(answer, dict) or "error" in answer or not 200 <= response.status < 300:
        raise ERRORS.in_response(response)
    return answer
