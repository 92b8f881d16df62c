"""HTTP to receivers: pinned to the address that was checked, no redirects, answers read within bounds."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Final

from django.conf import settings
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError
from pyreqwest.response import Response

from config.egress import PinnedUrl, networks_read, resolve_public
from webhooks_app.pump.outcomes import HEAD_LENGTH, Answer

CONNECT_SECONDS: Final = 5
# Read on to here, so that the connection can be used again; a longer answer costs it the connection.
_BODY_MOST: Final = 65_536
# Look-ups of names at the same time. A name server that does not answer holds one for 10 s and more, so these are more
# than a process's usual threads, and none of those: dead names must not keep the others waiting.
_LOOKUPS_MOST: Final = 64
# Clients that are kept; each is one receiver's connections (about 0.1 MB, 10 ms to make).
_CLIENTS_MOST: Final = 512
_IDLE: Final = timedelta(seconds=50)

Key = tuple[str, str, int, str]


def _client(pinned: PinnedUrl) -> Client:
    builder = (
        ClientBuilder()
        .connect_timeout(timedelta(seconds=CONNECT_SECONDS))
        .pool_idle_timeout(_IDLE)
        .follow_redirects(False)
        .no_proxy()
        .referer(False)
        # A small answer cannot become a large one.
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .http1_only()
        .user_agent("griot-webhooks/1")
    )
    if pinned.host != pinned.address:
        # The name stays in the certificate check and the Host header; the connection goes to the checked address.
        builder = builder.resolve(pinned.host, pinned.address, pinned.port)
    return builder.build()


class Transport:
    """One client per receiver, the least recently used ones are let go."""

    def __init__(self) -> None:
        self._clients: OrderedDict[Key, Client] = OrderedDict()
        self._names = ThreadPoolExecutor(_LOOKUPS_MOST, thread_name_prefix="webhook-names")

    async def resolve(self, url: str) -> PinnedUrl:
        """Check `url` and look its name up, in a thread. Raises `UrlRefused`."""
        networks = networks_read(settings.EGRESS_ALLOWED_NETWORKS)
        look_up = partial(resolve_public, url, allowed_networks=networks)
        return await asyncio.get_running_loop().run_in_executor(self._names, look_up)

    async def post(self, pinned: PinnedUrl, *, headers: dict[str, str], body: bytes, timeout: float) -> Answer:
        """One attempt; `timeout` in seconds is for the whole exchange. Never raises for what the receiver does."""
        # Built from what was checked, so that nobody else's reading of the URL decides where it goes.
        url = f"{pinned.scheme}://{pinned.authority}{pinned.target}"
        started_at, started = time.time(), time.monotonic()
        try:
            request = (
                self._of(pinned)
                .post(url)
                .headers(headers)
                .body_bytes(body)
                .timeout(timedelta(seconds=timeout))
                .build_streamed()
            )
            async with request as response:
                code, retry_after = response.status, response.get_header("retry-after") or ""
                head = await _head(response)
        except RequestTimeoutError:
            return Answer(started_at, time.monotonic() - started, error=f"No answer within {timeout:g} s.")
        except PyreqwestError as error:
            return Answer(started_at, time.monotonic() - started, error=_reason(error))
        return Answer(started_at, time.monotonic() - started, code, head, retry_after=retry_after[:100])

    async def close(self) -> None:
        """Close all connections; look-ups that still wait are not waited for."""
        self._names.shutdown(wait=False, cancel_futures=True)
        while self._clients:
            _, client = self._clients.popitem()
            await client.close()

    def _of(self, pinned: PinnedUrl) -> Client:
        key = (pinned.scheme, pinned.host, pinned.port, pinned.address)
        client = self._clients.pop(key, None) or _client(pinned)
        self._clients[key] = client
        if len(self._clients) > _CLIENTS_MOST:
            # Requests under way keep it; its connections close with the last of them.
            self._clients.popitem(last=False)
        return client


async def _head(response: Response) -> str:
    """The beginning of the answer as text. What comes after `_BODY_MOST` bytes is not read."""
    head, seen = b"", 0
    while seen < _BODY_MOST:
        chunk = await response.body_reader.read_chunk()
        if chunk is None:
            break
        seen += len(chunk)
        if len(head) < HEAD_LENGTH:
            head += bytes(chunk[: HEAD_LENGTH - len(head)])
    return head.decode("utf-8", "replace")


def _reason(error: PyreqwestError) -> str:
    details = getattr(error, "details", None) or {}
    causes = [str(cause["message"]) for cause in details.get("causes") or []]
    text = causes[-1] if causes else type(error).__name__
    if "client error (Connect)" in causes:
        return f"No connection: {text}"[:300]
    return f"The connection broke: {text}"[:300]
