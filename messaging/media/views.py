"""`/media/{token}`: a stored file for whoever has the link. Whatever is wrong with it, the answer is 404."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods
from django_tenants.utils import schema_context

from messaging.media.files import file_by_uuid, media_storage
from messaging.media.links import token_read
from messaging.models import MediaFile
from tenants.models import Organization

_CHUNK: Final = 65_536
# What browsers show without running anything; everything else is a download.
_INLINE: Final = frozenset(
    {
        "image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/3gpp", "audio/aac", "audio/amr",
        "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus",
    }
)  # fmt: skip
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


@require_http_methods(["GET", "HEAD"])
def media(request: HttpRequest, token: str) -> HttpResponseBase:
    """The file that `token` names, whole or the one range that was asked for."""
    file = _file(token)
    if file is None or not file.size:
        return HttpResponse("not found", status=404, content_type="text/plain")
    first, last = _range(request.headers.get("Range", ""), file.size)
    if first > last:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{file.size}"})
    is_whole = (first, last) == (0, file.size - 1)
    headers = _headers(file) | {"Content-Length": str(last - first + 1), "Accept-Ranges": "bytes"}
    if not is_whole:
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size}"
    status = 200 if is_whole else 206
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    try:
        source = media_storage().open(file.path, "rb")
    except FileNotFoundError:
        return HttpResponse("not found", status=404, content_type="text/plain")
    return StreamingHttpResponse(_Pieces(source, first, last), status=status, headers=headers)


def _file(token: str) -> MediaFile | None:
    named = token_read(token)
    if named is None:
        return None
    organization = Organization.objects.filter(
        uuid=named.organization_uuid, status=Organization.Status.ACTIVE, is_template=False
    ).first()
    if organization is None:
        return None
    with schema_context(organization.schema_name):
        return file_by_uuid(file_uuid=named.file_uuid)


def _headers(file: MediaFile) -> dict[str, str]:
    """Nothing that a person sent can become a page on our host: type as checked, no sniffing, no scripts."""
    is_inline = file.mime_type in _INLINE
    name = file.filename or str(file.uuid)
    return {
        "Content-Type": file.mime_type if is_inline else "application/octet-stream",
        "Content-Disposition": content_disposition_header(not is_inline, name) or "attachment",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, max-age=300",
    }


def _range(header: str, size: int) -> tuple[int, int]:
    """First and last byte; the whole file for no range or one that is not understood. First > last: cannot be met."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return 0, size - 1
    if not match[1]:
        return max(0, size - int(match[2])), size - 1 if int(match[2]) else -1
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    return (first, last) if first <= last else (1, 0)


class _Pieces:
    """The bytes `first` to `last` of an open file. The response closes it, also when nobody reads to the end."""

    def __init__(self, source: IO[Any], first: int, last: int) -> None:
        source.seek(first)
        self._source = source
        self._left = last - first + 1

    def __iter__(self) -> Iterator[bytes]:
        while self._left > 0 and (chunk := self._source.read(min(_CHUNK, self._left))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        self._source.close()
