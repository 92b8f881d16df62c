"""The proxy fails in the ways that it promises, as the engine's own client sees them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from bench.faults.proxy import Proxy
from bench.table import fullest_second
from config.stack.ports import port_choose
from messaging.dispatch.transport import NotSent, Transport
from messaging.drivers.base import Ambiguous, HttpRequest


class Provider(ThreadingHTTPServer):
    """Answers 200 and counts."""

    daemon_threads = True
    requests = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.requests += 1
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(provider: Provider) -> Iterator[Proxy]:
    made = Proxy(port_choose())
    made.start(provider.server_port)
    yield made
    made.stop()


def send(proxy: Proxy, *, timeout: float = 5, times: int = 1) -> list[str]:
    """What became of each request, all over one client: its status, or the error's name."""

    async def run() -> list[str]:
        transport = Transport(timeout=timeout)
        outcomes = []
        for _ in range(times):
            try:
                request = HttpRequest("POST", f"{proxy.url}/x", {}, b"{}")
                outcomes.append(str((await transport.send(request)).status))
            except (NotSent, Ambiguous) as error:
                outcomes.append(type(error).__name__)
        await transport.close()
        return outcomes

    return asyncio.run(run())


def test_it_passes_on_and_comes_back_after_every_mode(proxy: Proxy, provider: Provider) -> None:
    assert send(proxy, times=3) == ["200"] * 3
    for mode in ("refuse", "reset", "swallow", "hole"):
        proxy.switch(mode)
        proxy.switch("pass")
        assert send(proxy) == ["200"]
    assert provider.requests == 7


def test_refused_means_not_sent(proxy: Proxy, provider: Provider) -> None:
    proxy.switch("refuse")
    assert send(proxy) == ["NotSent"]
    assert provider.requests == 0


def test_a_swallowed_answer_is_a_doubt_and_the_provider_has_it(proxy: Proxy, provider: Provider) -> None:
    proxy.switch("swallow")
    assert send(proxy) == ["Ambiguous"]
    assert (provider.requests, proxy.swallowed) == (1, 1)


def test_a_reset_connection_is_a_doubt_and_the_provider_has_nothing(proxy: Proxy, provider: Provider) -> None:
    proxy.switch("reset")
    assert send(proxy) == ["Ambiguous"]
    assert provider.requests == 0


def test_what_a_black_hole_held_arrives_late(proxy: Proxy, provider: Provider) -> None:
    proxy.switch("hole")
    assert send(proxy, timeout=0.5) == ["Ambiguous"]
    assert provider.requests == 0
    proxy.switch("pass")
    end = time.monotonic() + 5
    while provider.requests == 0 and time.monotonic() < end:
        time.sleep(0.02)
    assert provider.requests == 1


@pytest.mark.parametrize(
    ("times", "fullest"), [([0.0], 1), ([0.0, 0.5, 0.99, 1.0, 1.2], 4), ([2.0, 0.0, 1.0], 1), ([0.1, 0.1, 1.05], 3)]
)
def test_the_fullest_second(times: list[float], fullest: int) -> None:
    assert fullest_second(times) == fullest
