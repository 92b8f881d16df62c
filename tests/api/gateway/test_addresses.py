"""Every address that a vendor gives: webhooks, files behind links, where the setup page leads back to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from config import egress
from messaging.models import MediaFile, SetupLink
from tests.api.gateway.caller import Vendor, wrong_fields
from webhooks_app.models import Endpoint

# Our own network in every disguise: private ranges, the cloud's metadata, IPv6 that carries IPv4, numbers that some
# readers take for addresses, digits that only look like others, names of this machine, user names, other schemes.
REFUSED = [
    "http://10.0.0.5/",
    "http://172.31.255.254/",
    "http://192.168.1.1:8080/",
    "http://127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:0a00:0001]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://１２７.0.0.1/",
    "http://localhost/",
    "http://inside.example.com/",
    "http://mixed.example.com/",
    "http://user:secret@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com:0/",
    "http://example.com:70000/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x",
]
NAMES = {
    "example.com": ["93.184.216.34"],
    "inside.example.com": ["10.1.2.3"],
    "mixed.example.com": ["93.184.216.34", "169.254.169.254"],
    "localhost": ["127.0.0.1", "::1"],
}


@pytest.fixture(autouse=True)
def outside(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No private network is allowed here, and names are those above; returns what was connected to."""
    settings.EGRESS_ALLOWED_NETWORKS = []
    reached: list[str] = []

    def look_up(host: str, port: Any, *_: Any, **__: Any) -> list[Any]:
        if host not in NAMES:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in NAMES[host]]

    monkeypatch.setattr(egress.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(egress, "_connection", lambda pinned, timeout: reached.append(pinned.address) or 1 / 0)
    return reached


@pytest.mark.parametrize("url", REFUSED)
def test_webhooks_lead_nowhere_inside(vendor: Vendor, url: str) -> None:
    response = vendor.post("/webhooks", {"url": url, "events": ["*"]})
    assert (response.status_code, wrong_fields(response)) == (422, {"url"})
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("url", REFUSED)
def test_files_are_fetched_from_nowhere_inside(vendor: Vendor, url: str, outside: list[str]) -> None:
    response = vendor.post("/files", {"link": url, "type": "image"})
    assert response.status_code == 422, response.content
    assert (MediaFile.objects.exists(), outside) == (False, [])


def test_a_name_that_turns_private_between_two_questions_is_asked_about_once(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    asked: list[str] = []
    pinned: list[Any] = []

    def look_up(host: str, port: Any, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(target: Any, timeout: float) -> Any:
        pinned.append(target)
        raise egress.FetchFailed("fetch_failed", "not in a test")

    monkeypatch.setattr(egress.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(egress, "_connection", connect)
    assert vendor.post("/files", {"link": "http://rebind.example.com/a.png", "type": "image"}).status_code == 422
    assert asked == ["rebind.example.com"]
    assert [target.address for target in pinned] == ["93.184.216.34"]


@pytest.mark.parametrize(
    "url", ["http://vendor.example/", "ftp://vendor.example/", "https://user@vendor.example/", "javascript:alert(1)"]
)
def test_the_setup_page_leads_to_https_only(vendor: Vendor, url: str, make_customer: Callable[[], str]) -> None:
    response = vendor.post("/setup-links", {"customerId": make_customer(), "redirectUrl": url})
    assert (response.status_code, wrong_fields(response)) == (422, {"redirectUrl"})
    assert not SetupLink.objects.exists()


@pytest.fixture
def make_customer(vendor: Vendor) -> Callable[[], str]:
    return lambda: str(vendor.post("/customers", {"name": "DentalCare"}).json()["customer"]["id"])
