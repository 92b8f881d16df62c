"""Requests and replies as the sandbox handles them, and the one trick a fault simulator needs: hanging up."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson

JSON = [("content-type", "application/json; charset=UTF-8"), ("cache-control", "no-store")]


class HeaderMap(Protocol):
    def get(self, key: str, default: Any = None) -> Any: ...


class Request:
    """One HTTP request, its body already read."""

    __slots__ = ("_query", "body", "headers", "method", "path", "peer", "query_string")

    def __init__(self, method: str, path: str, query_string: str, headers: HeaderMap, body: bytes, peer: str) -> None:
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.body = body
        self.peer = peer
        self._query: dict[str, str] | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters; the last of several with one name wins."""
        if self._query is None:
            self._query = dict(parse_qsl(self.query_string, keep_blank_values=True)) if self.query_string else {}
        return self._query


class Reply:
    """What to answer, after which delay (seconds), and whether to hang up instead."""

    __slots__ = ("body", "delay", "drop", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        headers: list[tuple[str, str]] = JSON,
        *,
        delay: float = 0.0,
        drop: bool = False,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.delay = delay
        self.drop = drop


def json_reply(value: object, status: int = 200) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, orjson.dumps(value))


class BadRequest(Exception):
    """A control call cannot be carried out; answered with `status` and a plain explanation."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a control call's body (an empty body is an empty object). Raises BadRequest."""
    if not body:
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value


class Connections:
    """Finds the server's socket of a client address, to close it under the client's feet.

    The HTTP server offers no way to break off a connection without an answer. The sockets are ours, though: they are
    looked up among this process's descriptors by the address of the other end and remembered until they no longer fit.
    """

    def __init__(self) -> None:
        self._descriptors: dict[tuple[str, int], int] = {}

    def hang_up(self, peer: str) -> bool:
        """Shut the connection to `peer` ("address:port") in both directions; False when it is gone already."""
        host, _, port = peer.rpartition(":")
        address = (host.strip("[]"), int(port))
        if not self._shut(self._descriptors.get(address, -1), address):
            self._scan()
            return self._shut(self._descriptors.get(address, -1), address)
        return True

    @staticmethod
    def _peer_of(descriptor: int) -> tuple[str, int] | None:
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return None
            with socket.socket(fileno=os.dup(descriptor)) as copy:
                name = copy.getpeername()
        except OSError:
            return None
        return (name[0], name[1]) if isinstance(name, tuple) else None

    def _shut(self, descriptor: int, address: tuple[str, int]) -> bool:
        if descriptor < 0 or self._peer_of(descriptor) != address:
            return False
        try:
            with socket.socket(fileno=os.dup(descriptor)) as copy:
                copy.shutdown(socket.SHUT_RDWR)
        except OSError:
            return False
        return True

    def _scan(self) -> None:
        folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
        self._descriptors = {}
        for name in os.listdir(folder):
            peer = self._peer_of(int(name))
            if peer is not None:
                self._descriptors[peer] = int(name)
