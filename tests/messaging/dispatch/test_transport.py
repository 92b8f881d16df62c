"""What a broken exchange says about the message: surely not sent, or in doubt. Real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from messaging.dispatch.transport import NotSent, Transport
from messaging.drivers.base import Ambiguous, HttpRequest


@contextmanager
def server(behaviour: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does `behaviour` with its one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                behaviour(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/messages"
        thread.join(5)


def exchange(url: str, timeout: float = 1.0) -> None:
    async def send() -> None:
        transport = Transport(timeout=timeout)
        try:
            await transport.send(HttpRequest("POST", url, {"Content-Type": "application/json"}, b"{}"))
        finally:
            await transport.close()

    asyncio.run(send())


def test_a_refused_connection_means_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(NotSent):
        exchange(f"http://127.0.0.1:{port}/messages")


def test_a_name_that_does_not_resolve_means_not_sent():
    with pytest.raises(NotSent):
        exchange("http://nothing.invalid/messages")


def test_a_connection_closed_after_the_request_is_a_doubt():
    with server(lambda connection: connection.recv(65536)) as url, pytest.raises(Ambiguous):
        exchange(url)


def test_an_answer_that_never_comes_is_a_doubt():
    released = threading.Event()

    def silent(connection: socket.socket) -> None:
        connection.recv(65536)
        released.wait(5)

    with server(silent) as url:
        with pytest.raises(Ambiguous):
            exchange(url, timeout=0.3)
        released.set()


def test_an_answer_cut_short_is_a_doubt():
    def cut(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    with server(cut) as url, pytest.raises(Ambiguous):
        exchange(url)
