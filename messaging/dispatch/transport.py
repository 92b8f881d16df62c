"""HTTP for the engine: one client per process, keep-alive, and a clear word on whether a request may have left."""

from __future__ import annotations

from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PoolTimeoutError, PyreqwestError

from messaging.drivers.base import Ambiguous, HttpRequest, HttpResponse

CONNECT_TIMEOUT = timedelta(seconds=5)


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
        self._client: Client = (
            ClientBuilder()
            .timeout(timedelta(seconds=timeout))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(timedelta(seconds=50))
            .follow_redirects(False)
            .no_proxy()
            .user_agent("griot/1")
            .build()
        )

    async def send(self, request: HttpRequest) -> HttpResponse:
        """One exchange. Raises `NotSent` when the connection failed, `Ambiguous` when the answer was lost."""
        builder = self._client.request(request.method, request.url).headers(request.headers)
        try:
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
