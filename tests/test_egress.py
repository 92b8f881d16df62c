"""Fetching URLs that users give: what is refused before a connection, and what a hostile server can do."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config import egress
from config.egress import FetchFailed, UrlRefused, fetch, networks_read, resolve_public

PNG = frozenset({"image/png"})


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`names(host=[addresses])`: what the resolver answers; returns the list of look-ups."""
    asked: list[str] = []

    def install(**table: list[str]) -> list[str]:
        def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            if host == "127.0.0.1":
                # The connection to the pinned address: an address is no question.
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
            asked.append(host)
            found = table.get(host.replace(".", "_"))
            if found is None:
                raise socket.gaierror("unknown")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

        monkeypatch.setattr(egress.socket, "getaddrinfo", look_up)
        return asked

    return install


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://10.0.0.5/",
        "http://172.16.3.4/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://100.127.255.254/",
        "http://198.18.0.1/",
        "http://192.0.0.8/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://240.1.1.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:c0a8:101::]/",
        "http://[fe80::1]/",
        "http://[fec0::1]/",
        "http://[fc00::1]/",
        "http://[fd12:3456::1]/",
        "http://[ff02::1]/",
        "http://[2001:db8::1]/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http://exam ple.com/",
        "http://example.com/\r\nHost: x",
        "http:///path",
        "http://",
        "//example.com/",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "javascript:alert(1)",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://[::1/",
        "http://" + "a" * 3000 + ".com/",
        "http://-bad-.com/",
        "http://a..b/",
    ],
)
def test_what_must_not_be_fetched_is_refused_without_asking_the_resolver(
    url: str, names: Callable[..., list[str]]
) -> None:
    asked = names(example_com=["93.184.216.34"])
    with pytest.raises(UrlRefused):
        resolve_public(url)
    assert asked == []


def test_a_public_name_is_looked_up_once_and_pinned(names: Callable[..., list[str]]) -> None:
    asked = names(cdn_example_com=["93.184.216.34", "93.184.216.35"])
    pinned = resolve_public("https://CDN.example.com./a b.png?x=1#top".replace(" ", "%20"))
    assert asked == ["cdn.example.com"]
    assert (pinned.address, pinned.host, pinned.port) == ("93.184.216.34", "cdn.example.com", 443)
    assert (pinned.target, pinned.authority) == ("/a%20b.png?x=1", "cdn.example.com")


def test_a_name_with_one_private_address_among_public_ones_is_refused(names: Callable[..., list[str]]) -> None:
    names(mixed_example_com=["93.184.216.34", "10.0.0.1"])
    with pytest.raises(UrlRefused):
        resolve_public("http://mixed.example.com/")


def test_a_public_name_of_a_private_address_is_refused(names: Callable[..., list[str]]) -> None:
    names(localhost=["127.0.0.1"], local_example_com=["::ffff:192.168.0.1"])
    for host in ("localhost", "local.example.com"):
        with pytest.raises(UrlRefused):
            resolve_public(f"http://{host}/")


def test_an_unknown_name_is_refused(names: Callable[..., list[str]]) -> None:
    names()
    with pytest.raises(UrlRefused, match="does not exist"):
        resolve_public("http://nowhere.example.com/")


def test_allowed_networks_may_be_reached_and_only_they() -> None:
    allowed = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("::1/128")]
    assert resolve_public("http://10.1.2.3:8080/x", allowed_networks=allowed).authority == "10.1.2.3:8080"
    assert resolve_public("http://[::1]:9/", allowed_networks=allowed).authority == "[::1]:9"
    assert resolve_public("http://[::ffff:10.1.2.3]/", allowed_networks=allowed).port == 80
    with pytest.raises(UrlRefused):
        resolve_public("http://10.2.0.1/", allowed_networks=allowed)


def test_the_setting_of_networks_is_read_strictly() -> None:
    assert [str(network) for network in networks_read(["10.0.0.0/8", "::1"])] == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(ValueError):
        networks_read(["10.0.0.1/8"])


class Server:
    """Answers each connection on loopback with what `script` writes to the socket; keeps the requests."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self.requests: list[bytes] = []
        self._script = script
        self._tls: ssl.SSLContext | None = None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection as plain:
                try:
                    connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
                    self.requests.append(connection.recv(65_536))
                    self._script(connection)
                except OSError:
                    continue
                finally:
                    connection.close()

    def wrap(self, context: ssl.SSLContext) -> None:
        """Speak TLS from the next connection on."""
        self._tls = context

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def serve(settings: Any) -> Iterator[Callable[..., Server]]:
    """`serve(script or bytes)`: a server on loopback, which may be reached in these tests."""
    settings.EGRESS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    running: list[Server] = []

    def start(script: Callable[[socket.socket], None] | bytes) -> Server:
        run = script if callable(script) else lambda connection: connection.sendall(script)
        running.append(Server(run))
        return running[-1]

    yield start
    for server in running:
        server.close()


def _answer(body: bytes, *, kind: str = "image/png", status: str = "200 OK", more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body


def _fetch(server: Server, *, max_bytes: int = 1000, timeout: float = 5) -> egress.Fetched:
    return fetch(f"http://127.0.0.1:{server.port}/a.png?v=2", max_bytes=max_bytes, allowed_types=PNG, timeout=timeout)


def test_a_file_is_fetched_from_the_pinned_address_with_the_names_host_header(
    serve: Callable[..., Server], names: Callable[..., list[str]]
) -> None:
    server = serve(_answer(b"PNG", kind="Image/PNG; charset=x"))
    names(cdn_example_com=["127.0.0.1"])
    found = fetch(f"http://cdn.example.com:{server.port}/a.png?v=2", max_bytes=10, allowed_types=PNG, timeout=5)
    assert (found.content, found.content_type) == (b"PNG", "image/png")
    lines = server.requests[0].decode().split("\r\n")
    assert lines[0] == "GET /a.png?v=2 HTTP/1.1"
    assert [line for line in lines if line.lower().startswith("host:")] == [f"Host: cdn.example.com:{server.port}"]
    assert "Accept-Encoding: identity" in lines


def test_the_size_limit_holds_whatever_the_length_header_says(serve: Callable[..., Server]) -> None:
    assert _fetch(serve(_answer(b"x" * 1000))).content == b"x" * 1000
    with pytest.raises(FetchFailed) as announced:
        _fetch(serve(_answer(b"x" * 1001)))
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nConnection: close\r\n\r\n" + b"x" * 200_000
    with pytest.raises(FetchFailed) as unannounced:
        _fetch(serve(endless))
    assert announced.value.code == unannounced.value.code == "fetch_too_large"


def test_a_redirect_is_not_followed(serve: Callable[..., Server]) -> None:
    inner = serve(_answer(b"secret"))
    outer = serve(_answer(b"", status="302 Found", more=f"Location: http://127.0.0.1:{inner.port}/\r\n"))
    with pytest.raises(FetchFailed) as refused:
        _fetch(outer)
    assert refused.value.code == "fetch_status"
    assert inner.requests == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_answer(b"<html>", kind="text/html"), "fetch_type"),
        (_answer(b"x", more="Content-Encoding: gzip\r\n"), "fetch_type"),
        (_answer(b"x", status="404 Not Found"), "fetch_status"),
        (_answer(b"x" * 50)[:-10], "fetch_failed"),
        (b"", "fetch_failed"),
        (b"not http at all\r\n\r\n", "fetch_failed"),
    ],
)
def test_what_is_not_the_wanted_file_is_refused(serve: Callable[..., Server], answer: bytes, code: str) -> None:
    with pytest.raises(FetchFailed) as refused:
        _fetch(serve(answer))
    assert refused.value.code == code


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_server_that_drips_is_cut_off_at_the_deadline(serve: Callable[..., Server], part: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"

    def drip(connection: socket.socket) -> None:
        connection.sendall(head if part == "head" else head + b"\r\n")
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.1)

    started = time.monotonic()
    with pytest.raises(FetchFailed) as refused:
        _fetch(serve(drip), timeout=0.6)
    assert refused.value.code == "fetch_timeout"
    assert time.monotonic() - started < 2


def test_a_closed_port_is_a_failure_in_plain_language(settings: Any) -> None:
    settings.EGRESS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(FetchFailed) as refused:
        fetch(f"http://127.0.0.1:{port}/", max_bytes=1, allowed_types=PNG, timeout=2)
    assert (refused.value.code, refused.value.message) == ("fetch_failed", "The address of the file cannot be reached.")


def test_a_private_address_is_refused_by_fetch_as_well(settings: Any) -> None:
    settings.EGRESS_ALLOWED_NETWORKS = []
    with pytest.raises(UrlRefused):
        fetch("http://127.0.0.1:1/", max_bytes=1, allowed_types=PNG, timeout=1)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a self-signed certificate for cdn.example.com in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cdn.example.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("cdn.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "pair.pem"
    plain = serialization.NoEncryption()
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(encoded + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_the_certificate_is_checked_for_the_name_not_for_the_pinned_address(
    serve: Callable[..., Server], names: Callable[..., list[str]], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    named: list[str | None] = []
    context.sni_callback = lambda _, name, __: named.append(name)
    server = serve(_answer(b"PNG"))
    server.wrap(context)
    names(cdn_example_com=["127.0.0.1"], other_example_com=["127.0.0.1"])

    def get(host: str) -> bytes:
        return fetch(f"https://{host}:{server.port}/", max_bytes=9, allowed_types=PNG, timeout=5).content

    with pytest.raises(FetchFailed):
        get("cdn.example.com")
    monkeypatch.setattr(egress.certifi, "where", lambda: str(certificate))
    assert get("cdn.example.com") == b"PNG"
    with pytest.raises(FetchFailed):
        get("other.example.com")
    assert named == ["cdn.example.com", "cdn.example.com", "other.example.com"]
