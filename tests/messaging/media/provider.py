"""A provider that keeps files, and what customers send of them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django_tenants.utils import schema_context

Make = Callable[..., Any]
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
HTML = b"<!DOCTYPE html><script>alert(1)</script>"


class Provider:
    """Answers as a provider's media host does; `plan` maps paths to (status, type, body)."""

    def __init__(self) -> None:
        self.plan: dict[str, tuple[int, str, bytes]] = {}
        self.calls: list[tuple[str, str]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.calls.append((f"{handler.command} {handler.path}", handler.headers.get("Authorization", "")))
        status, kind, content = self.plan.get(handler.path.partition("?")[0], (404, "text/plain", b""))
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def keeps(self, media_id: str, content: bytes, kind: str, **said: Any) -> None:
        facts = {"url": f"{self.url}/file", "mime_type": kind, "file_size": len(content), "id": media_id} | said
        self.plan[f"/v25.0/{media_id}"] = (200, "application/json", json.dumps(facts).encode())
        self.plan["/file"] = (200, kind, content)


def image(media_id: str, content: bytes, kind: str = "image/png", mid: str = "wamid.1", **extra: Any) -> Any:
    details = {"id": media_id, "mime_type": kind, "sha256": hashlib.sha256(content).hexdigest()} | extra
    return {"from": "22997000001", "id": mid, "timestamp": "1790000000", "type": "image", "image": details}


def files(organization: Any) -> list[Any]:
    from messaging.models import MediaFile

    with schema_context(organization.schema_name):
        return list(MediaFile.objects.order_by("id"))


def run_agenda(kind: str = "media") -> list[Any]:
    """Run the items of `kind` as the agenda does, whatever their time; the next times that handlers gave."""
    from tenants.agenda import _handlers
    from tenants.models import AgendaItem

    results = []
    for item in AgendaItem.objects.filter(kind=kind).order_by("id"):
        with schema_context(item.schema):
            next_at = _handlers[kind](item.schema, item.key)
        results.append(next_at)
        if next_at is None:
            item.delete()
    return results


def token(url: str) -> str:
    return url.rsplit("/", 1)[1]
