"""Media that the caller gives by public URL, for channels whose provider does not fetch links itself."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import requests

from config.egress import fetch
from messaging.drivers.base import Capability, ChannelInfo, Driver, HttpRequest, HttpResponse
from messaging.drivers.uploads import MediaDriver, MediaFile
from tenants.errors import InvalidInput

FETCH_SECONDS: Final = 30.0
UPLOAD_SECONDS: Final = 60.0
_KINDS: Final = ("image", "video", "audio", "document", "sticker")

Transport = Callable[[HttpRequest], HttpResponse]


def media_needs_upload(*, driver: Driver, content: Mapping[str, Any]) -> bool:
    """Whether this content's file must be fetched and stored at the provider before it can be sent."""
    kind = content.get("type")
    return (
        kind in _KINDS
        and bool(content.get(kind, {}).get("link"))
        and Capability.MEDIA_UPLOAD in driver.capabilities
        and Capability.MEDIA_BY_LINK not in driver.capabilities
    )


def media_fetch(*, driver: MediaDriver, kind: str, url: str) -> MediaFile:
    """The file behind `url`, within the provider's size and types for `kind`.

    Raises `UrlRefused` and `FetchFailed` (see `config.egress`), `InvalidInput` for a kind that has no files.
    """
    limit = driver.media_limits.get(kind)
    if limit is None:
        raise InvalidInput("media_type", f"There are no files of type {kind}.", {"type": "has no file"})
    found = fetch(url, max_bytes=limit.max_bytes, allowed_types=limit.types, timeout=FETCH_SECONDS)
    return MediaFile(found.content, found.content_type, _filename(url))


def media_prepare(
    *, driver: Driver, channel: ChannelInfo, content: Mapping[str, Any], transport: Transport | None = None
) -> Mapping[str, Any]:
    """`content` as the channel can send it: a link that the provider would not fetch becomes the id of an upload.

    Content without a link, and channels that take links, come back as they are. `transport` does the upload; by default
    it is `http_send`. Raises what `media_fetch` and the driver's `read_media_upload` raise, and `requests` errors.
    """
    if not media_needs_upload(driver=driver, content=content):
        return content
    if not isinstance(driver, MediaDriver):
        raise TypeError(f"driver {driver.kind} has MEDIA_UPLOAD and is no MediaDriver")
    kind = str(content["type"])
    file = media_fetch(driver=driver, kind=kind, url=content[kind]["link"])
    answer = (transport or http_send)(driver.build_media_upload(channel, file))
    details = {key: value for key, value in content[kind].items() if key != "link"}
    return {**content, kind: {**details, "id": driver.read_media_upload(answer)}}


def http_send(request: HttpRequest) -> HttpResponse:
    """Send one request of a driver to its provider, for calls that are rare. Raises `requests.RequestException`."""
    answer = requests.request(
        request.method,
        request.url,
        headers=dict(request.headers),
        data=request.body or None,
        timeout=UPLOAD_SECONDS,
        allow_redirects=False,
    )
    return HttpResponse(answer.status_code, answer.content, {key.lower(): text for key, text in answer.headers.items()})


def _filename(url: str) -> str:
    """The last part of the path, without what file names cannot have."""
    name = posixpath.basename(unquote(urlsplit(url).path))
    return re.sub(r"[\x00-\x1f\x7f/\\\"<>|:*?]", "_", name)[:120]
