"""The HTTP server: one process, one event loop, a thin dispatcher in front of everything."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from sandbox import control, page
from sandbox.config import Config
from sandbox.graph import media, messages, routes
from sandbox.http import Connections, Reply, Request, json_reply
from sandbox.sms import send as sms_send
from sandbox.world import World

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol
    from granian.rsgi import Scope

log = logging.getLogger(__name__)

LARGEST_BODY = 145 * 1024 * 1024
STOP_S = 1.5


class Application:
    """Reads a request, finds who answers it, and writes the answer (or hangs up)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.connections = Connections()

    async def __rsgi__(self, scope: Scope, protocol: RSGIHTTPProtocol) -> None:
        if scope.proto != "http":
            protocol.response_empty(400, [])
            return
        length = scope.headers.get("content-length")
        if length is not None and length.isdigit() and int(length) > LARGEST_BODY:
            protocol.response_empty(413, [])
            return
        body = await protocol() if scope.method not in ("GET", "HEAD") else b""
        request = Request(scope.method, scope.path, scope.query_string, scope.headers, body, scope.client)
        if request.path == "/_events" and request.method == "GET":
            await page.stream(self.world, protocol)
            return
        try:
            reply = await self.answer(request)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            reply = json_reply({"error": "the sandbox itself failed; see its log"}, 500)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.drop and self.connections.hang_up(request.peer):
            protocol.response_empty(500, [])
            return
        protocol.response_bytes(reply.status, reply.headers, reply.body)

    async def answer(self, request: Request) -> Reply:
        """Dispatch by path; the sending of messages comes first because it must be fast."""
        parts = request.path.strip("/").split("/")
        if parts[0][:1] == "v" and parts[0][1:].replace(".", "", 1).isdigit():
            parts = parts[1:]
        if len(parts) == 2 and parts[1] == "messages" and request.method == "POST":
            return messages.handle(self.world, request, parts[0])
        if len(parts) == 3 and parts[0] == "sms" and parts[2] == "messages" and request.method == "POST":
            return sms_send.handle(self.world, request, unquote(parts[1])[:64])
        parts = [unquote(part) for part in parts]
        match parts:
            case [""] | ["static", _]:
                return page.asset(request, parts)
            case ["_control", *rest]:
                if not _same_origin(request):
                    return json_reply({"error": "calls from other web pages are refused"}, 403)
                return control.handle(self.world, request, rest)
            case ["dialog", "signup"]:
                if not _same_origin(request):
                    return json_reply({"error": "calls from other web pages are refused"}, 403)
                return page.signup(self.world, request)
            case ["inbox", phone] if request.method == "GET":
                return control.inbox(self.world, phone)
            case ["_media"]:
                return media.download(self.world, request)
            case ["_cdn", media_id]:
                return page.attachment(self.world, media_id)
            case ["_page", "media", media_id]:
                return page.media(self.world, media_id)
        return await routes.handle(self.world, request, parts)


def _same_origin(request: Request) -> bool:
    """Browsers name the page that makes a call; only our own may steer the sandbox."""
    origin: str | None = request.headers.get("origin")
    return not origin or urlsplit(origin).netloc == request.headers.get("host")


async def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT."""
    world = World(config)
    world.poster.open()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = _server(config, Application(world))
    listening = asyncio.create_task(server.serve())
    ticking = asyncio.create_task(world.clock.run())
    waiting = asyncio.create_task(stopped.wait())
    log.info("sandbox at %s, webhooks to %s", config.public_url, config.webhook_url)
    await asyncio.wait({listening, waiting}, return_when=asyncio.FIRST_COMPLETED)
    world.closing = True
    world.live.close()
    ticking.cancel()
    waiting.cancel()
    await world.poster.close()
    await _stop(server, listening)


async def _stop(server: Any, listening: asyncio.Task[None]) -> None:
    """Let open requests finish, but not for longer than STOP_S."""
    if not listening.done():
        server.stop()
        done, _ = await asyncio.wait({listening}, timeout=STOP_S)
        if not done:
            listening.cancel()
            return
    listening.result()


def _server(config: Config, application: Application) -> Any:
    return Server(
        application,
        address=config.host,
        port=config.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(keep_alive=True),
        websockets=False,
        backlog=2048,
        backpressure=4096,
        log_enabled=False,
    )
