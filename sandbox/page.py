"""The web page with the phones: its files, its stream of changes and the media it shows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.graph.signup import finish
from sandbox.http import BadRequest, Reply, Request, json_object, json_reply

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol

    from sandbox.world import World

FOLDER = Path(__file__).with_name("static")
FILES = {
    "index.html": "text/html; charset=utf-8",
    "phones.css": "text/css; charset=utf-8",
    "phones.js": "text/javascript; charset=utf-8",
    "bubbles.js": "text/javascript; charset=utf-8",
    "signup.html": "text/html; charset=utf-8",
    "signup.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: https: http:; "
    "media-src 'self' https: http:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE = [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "no-cache")]
PING_S = 15.0
SHOWN_INLINE = ("image/jpeg", "image/png", "image/webp", "video/mp4", "video/3gpp", "audio/")


def asset(request: Request, parts: list[str]) -> Reply:
    """The page itself or one of its files."""
    name = parts[1] if parts[0] == "static" else "index.html"
    if name not in FILES or request.method not in ("GET", "HEAD"):
        return Reply(404, b"not found", [("content-type", "text/plain")])
    content = (FOLDER / name).read_bytes()
    return Reply(200, content, [("content-type", FILES[name]), ("content-security-policy", POLICY), *SAFE])


def signup(world: World, request: Request) -> Reply:
    """The simulated sign-up dialog: GET shows it, POST finishes it."""
    if request.method != "POST":
        return asset(request, ["static", "signup.html"])
    try:
        return finish(world, json_object(request.body))
    except BadRequest as error:
        return json_reply({"error": str(error)}, error.status)


def media(world: World, media_id: str) -> Reply:
    """A stored file for the page; what a browser might run is only offered for download."""
    file = world.media.files.get(media_id)
    if file is None:
        return Reply(404, b"not found", [("content-type", "text/plain")])
    inline = file.mime_type.startswith(SHOWN_INLINE)
    headers = [
        ("content-type", file.mime_type if inline else "application/octet-stream"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        *SAFE,
    ]
    if not inline:
        headers.append(("content-disposition", "attachment"))
    return Reply(200, file.content, headers)


def attachment(world: World, media_id: str) -> Reply:
    """A file as Messenger and Instagram hand it out: for whoever has the address, with its own type."""
    file = world.media.files.get(media_id)
    if file is None:
        return Reply(404, b"not found", [("content-type", "text/plain")])
    safe = [("content-security-policy", "default-src 'none'; sandbox"), ("content-disposition", "attachment"), *SAFE]
    return Reply(200, file.content, [("content-type", file.mime_type), *safe])


async def stream(world: World, protocol: RSGIHTTPProtocol) -> None:
    """Server-sent events: which phones changed, until the page goes away or the sandbox stops."""
    queue = world.live.subscribe()
    if queue is None:
        protocol.response_empty(503, [("retry-after", "5")])
        return
    gone = asyncio.ensure_future(protocol.client_disconnect())
    try:
        transport = protocol.response_stream(
            200, [("content-type", "text/event-stream"), ("cache-control", "no-store")]
        )
        await transport.send_bytes(b"retry: 1000\n\n")
        while not gone.done() and not world.closing:
            try:
                event = await asyncio.wait_for(queue.get(), PING_S)
            except TimeoutError:
                event = b": still here\n\n"
            await transport.send_bytes(event)
    except RuntimeError:
        # The connection closed between two events; there is nobody left to tell.
        return
    finally:
        gone.cancel()
        world.live.unsubscribe(queue)
