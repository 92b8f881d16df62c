"""HTTP for the engine: one client per process, keep-alive, and a clear word on whether a request may have left."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PoolTimeoutError, PyreqwestError

from config.egress import PinnedUrl
from messaging.drivers.base import Ambiguous, HttpRequest, HttpResponse

CONNECT_TIMEOUT = timedelta(seconds=5)
# More of an organisation's own gateway's answer is not read.
_ANSWER_BYTES: Final = 65_536
# Gateways whose connections are kept.
_GATEWAYS_MOST: Final = 256


class NotSent(Exception):
    """No byte of the request reached the provider: sending it again cannot duplicate anything."""


def _never_left(error: PyreqwestError) -> bool:
    """Whether the request surely did not leave.

    The exception's class does not tell: an answer that never came is a `ConnectTimeoutError` too, and a connection that
    closed before the answer a `ConnectError`. The cause does: "Connect" for a connection that was never made, where
    the others say "SendRequest" or nothing.
    """
    if isinstance(error, (BuilderError, PoolTimeoutError)):
        return True
    causes = error.details.get("causes") or [] if isinstance(error, DetailedPyreqwestError) else []
    return any(cause["message"] == "client error (Connect)" for cause in causes)


class Transport:
    """Sends `HttpRequest`s. `timeout` in seconds is for one whole exchange; redirects are never followed."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timedelta(seconds=timeout)
        self._client: Client = self._builder().build()
        self._gateways: OrderedDict[tuple[str, str, int, str], Client] = OrderedDict()

    async def send(self, request: HttpRequest, pinned: PinnedUrl | None = None) -> HttpResponse:
        """One exchange. Raises `NotSent` when the connection failed, `Ambiguous` when the answer was lost.

        `pinned`: the checked address of a gateway that is not the provider's own; the request goes there, and its
        answer is read up to 64 KB.
        """
        try:
            if pinned is not None:
                return await self._send_pinned(request, pinned)
            builder = self._client.request(request.method, request.url).headers(request.headers)
            response = await builder.body_bytes(request.body).build().send()
            body = bytes(await response.bytes())
        except PyreqwestError as error:
            if _never_left(error):
                raise NotSent(str(error)) from error
            raise Ambiguous(f"The provider's answer was lost ({type(error).__name__}).") from error
        return HttpResponse(response.status, body)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()
        while self._gateways:
            _, client = self._gateways.popitem()
            await client.close()

    async def _send_pinned(self, request: HttpRequest, pinned: PinnedUrl) -> HttpResponse:
        # Scheme, host and port are those that were checked, so that nobody else's reading of the URL decides.
        parts = urlsplit(request.url)
        url = f"{pinned.scheme}://{pinned.authority}{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        builder = self._gateway(pinned).request(request.method, url).headers(request.headers)
        body = bytearray()
        async with builder.body_bytes(request.body).build_streamed() as response:
            while len(body) < _ANSWER_BYTES:
                chunk = await response.body_reader.read_chunk()
                if chunk is None:
                    break
                body += chunk
            return HttpResponse(response.status, bytes(body[:_ANSWER_BYTES]))

    def _gateway(self, pinned: PinnedUrl) -> Client:
        key = (pinned.scheme, pinned.host, pinned.port, pinned.address)
        client = self._gateways.pop(key, None)
        if client is None:
            # A small answer cannot become a large one.
            builder = self._builder().gzip(False).brotli(False).zstd(False).deflate(False).http1_only()
            if pinned.host != pinned.address:
                builder = builder.resolve(pinned.host, pinned.address, pinned.port)
            client = builder.build()
        self._gateways[key] = client
        if len(self._gateways) > _GATEWAYS_MOST:
            # Requests under way keep it; its connections close with the last of them.
            self._gateways.popitem(last=False)
        return client

    def _builder(self) -> ClientBuilder:
        return (
            ClientBuilder()
            .timeout(self._timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(timedelta(seconds=50))
            .follow_redirects(False)
            .no_proxy()
            .user_agent("griot/1")
        )
