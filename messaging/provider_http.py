"""Calls to providers that are rare and need no event loop; sending messages has its own transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final

import requests

from messaging.drivers.base import HttpRequest, HttpResponse

CALL_SECONDS: Final = 60.0
_CHUNK: Final = 65_536

Transport = Callable[[HttpRequest], HttpResponse]


class TooLarge(Exception):
    """The answer has more bytes than allowed."""


def http_send(request: HttpRequest) -> HttpResponse:
    """Send one request of a driver to its provider. Raises `requests.RequestException`."""
    answer = requests.request(
        request.method,
        request.url,
        headers=dict(request.headers),
        data=request.body or None,
        timeout=CALL_SECONDS,
        allow_redirects=False,
    )
    return HttpResponse(answer.status_code, answer.content, {key.lower(): text for key, text in answer.headers.items()})


def http_download(request: HttpRequest, target: BinaryIO, *, max_bytes: int) -> int:
    """Write the body of a 200 answer into `target`, piece by piece; returns the HTTP status.

    Raises `requests.RequestException`, or `TooLarge` after `max_bytes`.
    """
    with requests.request(
        request.method,
        request.url,
        headers=dict(request.headers) | {"Accept-Encoding": "identity"},
        timeout=CALL_SECONDS,
        allow_redirects=False,
        stream=True,
    ) as answer:
        if answer.status_code != 200:
            return answer.status_code
        size = 0
        for chunk in answer.iter_content(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise TooLarge
            target.write(chunk)
        return 200
