"""Fetching URLs that users give, without becoming their tool against our own network (server-side request forgery).

The name is resolved once, every address behind it must be public, and the connection goes to exactly that address: a
name that changes its mind between check and use gains nothing. Redirects are not followed. Address ranges: the IANA
special-purpose registries (RFC 6890, RFC 8190).
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final
from urllib.parse import quote, urlsplit

import certifi
import urllib3
from django.conf import settings
from django.utils.translation import gettext as _
from urllib3.connection import HTTPConnection, HTTPSConnection

from tenants.errors import InvalidInput, ServiceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_LENGTH: Final = 2048
_PORTS: Final = {"http": 80, "https": 443}
_CHUNK: Final = 65_536
_CONNECT_SECONDS: Final = 10.0
# White space, control characters and the backslash, which some readers take for a slash.
_ODD: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# Not marked as private by the standard library, or only since some version of it.
_REFUSED: Final[Sequence[Network]] = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
    )
]  # fmt: skip
_TIMEOUTS: Final = (TimeoutError, urllib3.exceptions.ReadTimeoutError)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class UrlRefused(InvalidInput):
    """A URL that must not be fetched; the message says why and is fit for the person who gave it."""

    def __init__(self, message: str) -> None:
        super().__init__("url_not_allowed", message)


class FetchFailed(ServiceError):
    """The other side did not deliver what is needed: code `fetch_timeout`, `fetch_status`, `fetch_too_large`,
    `fetch_type`, or `fetch_failed`."""


@dataclass(frozen=True, slots=True)
class PinnedUrl:
    """A URL that has been checked, and the one address it may be fetched from."""

    url: str
    scheme: str
    host: str
    port: int
    target: str
    address: str

    @property
    def authority(self) -> str:
        """The Host header: with the port only when it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body. `content_type` is the bare MIME type in lower case."""

    content: bytes
    content_type: str


def networks_read(texts: Iterable[str]) -> list[Network]:
    """`EGRESS_ALLOWED_NETWORKS` as networks. Raises `ValueError` for what is none."""
    return [ipaddress.ip_network(text) for text in texts]


def resolve_public(url: str, *, allowed_networks: Sequence[Network] = ()) -> PinnedUrl:
    """Check `url` and pin it to one address. Raises `UrlRefused`.

    `allowed_networks` may be reached although they are private. When a name has several addresses, all must be allowed.
    """
    if len(url) > URL_LENGTH or _ODD.search(url):
        raise UrlRefused(_("The URL is too long or has characters that a URL cannot have."))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlRefused(_("The URL cannot be read.")) from error
    if parts.scheme not in _PORTS:
        raise UrlRefused(_("Only http and https URLs can be fetched."))
    if parts.username is not None or parts.password is not None:
        raise UrlRefused(_("A URL with a user name or password is not allowed."))
    if port == 0:
        raise UrlRefused(_("The URL cannot be read."))
    host = _host(parts.hostname)
    port = port or _PORTS[parts.scheme]
    addresses = _addresses(host, port)
    for address in addresses:
        if not _is_allowed(address, allowed_networks):
            raise UrlRefused(_("The URL leads to an address that is not public."))
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")
    return PinnedUrl(url, parts.scheme, host, port, target, str(addresses[0]))


def fetch(url: str, *, max_bytes: int, allowed_types: Collection[str], timeout: float) -> Fetched:
    """GET `url` into memory. Raises `UrlRefused` or `FetchFailed`.

    `max_bytes` is enforced while reading, `timeout` in seconds is for everything together after the look-up of the
    name, and the MIME type must be one of `allowed_types`. Compression is refused: a small answer cannot become large.
    """
    pinned = resolve_public(url, allowed_networks=networks_read(settings.EGRESS_ALLOWED_NETWORKS))
    deadline = time.monotonic() + timeout
    connection = _connection(pinned, timeout)
    # A server that sends a byte now and then keeps every single read alive: the guard ends the whole exchange.
    guard = threading.Timer(timeout, _shut, [connection])
    guard.daemon = True
    try:
        guard.start()
        connection.connect()
        connection.sock.settimeout(timeout)
        connection.request(
            "GET",
            pinned.target,
            headers={"Host": pinned.authority, "Accept-Encoding": "identity", "User-Agent": "Griot/1"},
            preload_content=False,
            decode_content=False,
        )
        with closing(connection.getresponse()) as response:
            return _read(response, max_bytes, allowed_types, deadline)
    except (urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
        if time.monotonic() >= deadline or isinstance(error, _TIMEOUTS):
            raise _too_slow() from error
        raise FetchFailed("fetch_failed", _("The address of the file cannot be reached.")) from error
    finally:
        guard.cancel()
        connection.close()


def _connection(pinned: PinnedUrl, timeout: float) -> HTTPConnection:
    """A connection to the pinned address; the certificate is checked for the name."""
    if pinned.scheme == "http":
        return HTTPConnection(pinned.address, pinned.port, timeout=min(timeout, _CONNECT_SECONDS))
    return HTTPSConnection(
        pinned.address,
        pinned.port,
        timeout=min(timeout, _CONNECT_SECONDS),
        cert_reqs=ssl.CERT_REQUIRED,
        ca_certs=certifi.where(),
        server_hostname=pinned.host,
    )


def _shut(connection: HTTPConnection) -> None:
    sock = connection.sock
    if sock is None:
        return
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Closed in the meantime: nothing is left to end.
        return


def _read(
    response: urllib3.BaseHTTPResponse, max_bytes: int, allowed_types: Collection[str], deadline: float
) -> Fetched:
    if response.status != 200:
        text = _("The address of the file answered with HTTP %(status)s.")
        if 300 <= response.status < 400:
            text = _("The address of the file answered with a redirect (HTTP %(status)s), which is not followed.")
        raise FetchFailed("fetch_status", text % {"status": response.status})
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchFailed("fetch_type", _("The file is compressed in transit, which was not asked for."))
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type not in allowed_types:
        text = _("Files of type %(kind)s are not possible here.") % {"kind": content_type[:80] or _("unknown")}
        raise FetchFailed("fetch_type", text)
    length = response.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    content = bytearray()
    while chunk := response.read1(_CHUNK):
        content += chunk
        if len(content) > max_bytes:
            raise _too_large(max_bytes)
        if time.monotonic() >= deadline:
            raise _too_slow()
    if time.monotonic() >= deadline:
        raise _too_slow()
    if length.isdigit() and len(content) != int(length):
        raise FetchFailed("fetch_failed", _("The file ended before it was complete."))
    return Fetched(bytes(content), content_type)


def _too_slow() -> FetchFailed:
    return FetchFailed("fetch_timeout", _("The address of the file took too long to answer."))


def _too_large(max_bytes: int) -> FetchFailed:
    return FetchFailed("fetch_too_large", _("The file is larger than %(most)s bytes.") % {"most": max_bytes})


def _host(name: str | None) -> str:
    """The host as it is looked up: ASCII, lower case, never a number in disguise (decimal, octal, hex, short)."""
    if not name:
        raise UrlRefused(_("The URL names no host."))
    if ":" in name:
        return name
    try:
        host = name.encode("idna").decode().lower().rstrip(".")
    except UnicodeError as error:
        raise UrlRefused(_("The URL names no host.")) from error
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        pass
    labels = host.split(".")
    last = labels[-1]
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        raise UrlRefused(_("The URL's host is a number that is no IP address."))
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused(_("The URL names no host."))
    return host


def _addresses(host: str, port: int) -> list[Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UrlRefused(_("The URL's host does not exist.")) from error
    # An IPv6 scope (fe80::1%eth0) is no part of the address.
    texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    if not texts:
        raise UrlRefused(_("The URL's host does not exist."))
    return [ipaddress.ip_address(text) for text in texts]


def _is_allowed(address: Address, allowed_networks: Sequence[Network]) -> bool:
    """Whether the address is public or in an allowed network; IPv6 that carries an IPv4 address counts as that one."""
    inner = _inner(address)
    if inner is not None:
        return _is_allowed(inner, allowed_networks)
    if any(address in network for network in allowed_networks):
        return True
    if any(address in network for network in _REFUSED):
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_private
    )


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside of a mapped, 6to4, Teredo or NAT64 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
