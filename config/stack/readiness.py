"""Waits until the platform answers, as a client would see it."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

_POLL_SECONDS = 0.25
_REQUEST_SECONDS = 10.0


def probe(url: str) -> tuple[bool, str]:
    """(ready, what was answered) of one GET; ready means status 200."""
    try:
        with urllib.request.urlopen(url, timeout=_REQUEST_SECONDS) as answer:  # noqa: S310  our own http address
            return answer.status == 200, f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return False, f"status {error.code}: {error.read(300).decode(errors='replace').strip()}"
    except (OSError, urllib.error.URLError) as error:
        return False, str(error)


def wait_until_ready(url: str, *, seconds: float, stopped: Callable[[], bool]) -> str | None:
    """Poll `url` until it answers 200 or `stopped()`. None when ready, else the last answer."""
    deadline = time.monotonic() + seconds
    answer = "not asked"
    while time.monotonic() < deadline and not stopped():
        ready, answer = probe(url)
        if ready:
            return None
        time.sleep(_POLL_SECONDS)
    return answer
