"""A small webhook receiver that keeps what it gets and checks every signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

SECRET = "0123456789abcdef0123456789abcdef"
VERIFY = "vt-42"


class Receiver:
    """Listens on a loopback port; `answers` are the HTTP statuses of the next POSTs, 200 after them."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.forged = 0
        self.answers: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhook/meta"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
                if not hmac.compare_digest(expected, self.headers["x-hub-signature-256"] or ""):
                    receiver.forged += 1
                status = receiver.answers.pop(0) if receiver.answers else 200
                receiver.bodies.append((self.path, body))
                self._answer(status, b"")

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                right = query.get("hub.verify_token") == [VERIFY]
                self._answer(200 if right else 403, query["hub.challenge"][0].encode() if right else b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)

    def clear(self) -> None:
        self.bodies.clear()
        self.answers.clear()
        self.forged = 0

    def values(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(WABA, field, value) of every change so far."""
        for _, body in list(self.bodies):
            for entry in json.loads(body)["entry"]:
                for change in entry["changes"]:
                    yield entry["id"], change["field"], change["value"]

    def statuses(self, wamid: str) -> list[dict[str, Any]]:
        return [item for _, _, value in self.values() for item in value.get("statuses", []) if item["id"] == wamid]

    def messages(self) -> list[dict[str, Any]]:
        return [item for _, _, value in self.values() for item in value.get("messages", [])]


T = TypeVar("T")


def eventually(look: Callable[[], T], *, within: float = 4.0) -> T:
    """Look until the answer is true; the last answer when time is up."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)
