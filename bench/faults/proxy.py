"""A TCP proxy between the engine and the provider, with the ways in which a network fails."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import Literal

Mode = Literal["pass", "refuse", "reset", "hole", "swallow"]


class Proxy:
    """Listens on 127.0.0.1 and passes bytes on to `aim`, in a thread of its own.

    - `refuse`: connections are cut, new ones refused, as when a host is down.
    - `reset`: connections are cut, and new ones as soon as something is said.
    - `hole`: nothing is passed on and nobody is told; when the mode ends, what has waited arrives late.
    - `swallow`: requests are passed on, and the connection is cut when the answer comes.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.cut = 0
        self.swallowed = 0
        self._mode: Mode = "pass"
        self._target = 0
        self._links: set[_Client] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self, target: int) -> None:
        """Pass on to port `target` of this machine."""
        self._target = target
        self._thread.start()
        self.switch("pass")

    def switch(self, mode: Mode) -> None:
        """Change the way it fails; effective on return."""
        asyncio.run_coroutine_threadsafe(self._switch(mode), self._loop).result(10)

    def stop(self) -> None:
        """Cut everything and end the thread."""
        self.switch("refuse")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _switch(self, mode: Mode) -> None:
        self._mode = mode
        if mode in {"refuse", "reset"}:
            for link in list(self._links):
                link.reset()
        if mode == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
        if mode != "refuse" and self._server is None:
            self._server = await self._loop.create_server(
                lambda: _Client(self), "127.0.0.1", self.port, backlog=1024, reuse_address=True
            )
        for link in list(self._links):
            link.hold() if mode == "hole" else link.let_go()


class _Client(asyncio.Protocol):
    """One connection of the engine."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.server: asyncio.Transport | None = None
        self.transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.proxy._links.add(self)
        if self.proxy._mode == "hole":
            transport.pause_reading()
        elif self.proxy._mode != "reset":
            self._connect()

    def data_received(self, data: bytes) -> None:
        if self.proxy._mode == "reset":
            self.reset()
        elif self.server is None:
            self._waiting.append(data)
        else:
            self.server.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.proxy._links.discard(self)
        if self.server is not None:
            self.server.close()

    def hold(self) -> None:
        """Read no more from either side."""
        for side in (self.transport, self.server):
            if side is not None and side.is_reading():
                side.pause_reading()

    def let_go(self) -> None:
        """Read again; connect now if that was put off."""
        for side in (self.transport, self.server):
            if side is not None and not side.is_closing() and not side.is_reading():
                side.resume_reading()
        if self.server is None and self._connecting is None:
            self._connect()

    def reset(self) -> None:
        """Cut it so that the engine sees a reset, not an orderly end."""
        if self.transport is None or self.transport.is_closing():
            return
        self.proxy.cut += 1
        self._waiting.clear()
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _connect(self) -> None:
        self._connecting = self.proxy._loop.create_task(self._open())

    async def _open(self) -> None:
        assert self.transport is not None
        try:
            server, _ = await self.proxy._loop.create_connection(
                lambda: _Provider(self), "127.0.0.1", self.proxy._target
            )
        except OSError:
            self.reset()
            return
        self.server = server
        # Also when the engine has hung up by now: what it had sent is on its way and arrives.
        for data in self._waiting:
            server.write(data)
        self._waiting.clear()
        if self.transport.is_closing():
            server.close()
            return
        if self.proxy._mode == "hole":
            self.hold()


class _Provider(asyncio.Protocol):
    """The other half: the connection to the provider."""

    def __init__(self, client: _Client) -> None:
        self.client = client

    def data_received(self, data: bytes) -> None:
        if self.client.proxy._mode == "swallow":
            self.client.proxy.swallowed += 1
            self.client.reset()
        elif self.client.transport is not None:
            self.client.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.client.transport is not None:
            self.client.transport.close()
