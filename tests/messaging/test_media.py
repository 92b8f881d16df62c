"""Media by URL for providers that do not fetch links themselves."""

from __future__ import annotations

from typing import Any

import pytest

from config.egress import Fetched, FetchFailed
from messaging import media
from messaging.drivers.base import Capability, ChannelInfo, HttpRequest, HttpResponse, SendError
from messaging.drivers.whatsapp_cloud.driver import WhatsAppCloudDriver
from tenants.errors import InvalidInput

CHANNEL = ChannelInfo("512", "98", "155", "https://graph.test", {}, {"access_token": "TOKEN"})
LINK = {"type": "image", "image": {"link": "https://cdn.example.com/menu%20a.png?x=1", "caption": "Menu"}}


class UploadingDriver(WhatsAppCloudDriver):
    """The same provider, as if it did not fetch links."""

    capabilities = frozenset(Capability) - {Capability.MEDIA_BY_LINK}


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Calls of `fetch`; each gives a small PNG."""
    calls: list[dict[str, Any]] = []

    def fake(url: str, **options: Any) -> Fetched:
        calls.append({"url": url, **options})
        return Fetched(b"PNG-BYTES", "image/png")

    monkeypatch.setattr(media, "fetch", fake)
    return calls


def test_a_provider_that_takes_links_gets_the_link(fetched: list[Any]) -> None:
    assert media.media_prepare(driver=WhatsAppCloudDriver(), channel=CHANNEL, content=LINK) is LINK
    assert fetched == []


@pytest.mark.parametrize(
    "content", [{"type": "text", "text": {"body": "Hi"}}, {"type": "image", "image": {"id": "13", "caption": "Menu"}}]
)
def test_content_without_a_link_stays_as_it_is(fetched: list[Any], content: dict[str, Any]) -> None:
    assert media.media_prepare(driver=UploadingDriver(), channel=CHANNEL, content=content) is content
    assert fetched == []


def test_a_link_becomes_the_id_of_an_upload_within_the_providers_limits(fetched: list[dict[str, Any]]) -> None:
    sent: list[HttpRequest] = []

    def upload(request: HttpRequest) -> HttpResponse:
        sent.append(request)
        return HttpResponse(200, b'{"id": "1390224466880011"}')

    content = media.media_prepare(driver=UploadingDriver(), channel=CHANNEL, content=LINK, transport=upload)
    assert content == {"type": "image", "image": {"caption": "Menu", "id": "1390224466880011"}}
    assert LINK["image"] == {"link": "https://cdn.example.com/menu%20a.png?x=1", "caption": "Menu"}
    (call,) = fetched
    assert (call["max_bytes"], call["allowed_types"]) == (5 * 1024 * 1024, {"image/jpeg", "image/png"})
    (request,) = sent
    assert (request.method, request.url) == ("POST", "https://graph.test/v25.0/512/media")
    assert request.headers["Authorization"] == "Bearer TOKEN"
    assert b'filename="menu a.png"\r\nContent-Type: image/png\r\n\r\nPNG-BYTES\r\n--' in request.body


def test_a_refused_upload_and_a_file_that_cannot_be_fetched_are_errors(
    fetched: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = HttpResponse(400, b'{"error": {"code": 131053, "message": "x"}}')
    with pytest.raises(SendError) as refused:
        media.media_prepare(driver=UploadingDriver(), channel=CHANNEL, content=LINK, transport=lambda _: refusal)
    assert refused.value.code == "131053"

    def broken(*_: Any, **__: Any) -> Fetched:
        raise FetchFailed("fetch_too_large", "The file is larger than 5 bytes.")

    monkeypatch.setattr(media, "fetch", broken)
    with pytest.raises(FetchFailed):
        media.media_prepare(driver=UploadingDriver(), channel=CHANNEL, content=LINK)


def test_a_kind_without_files_is_refused() -> None:
    with pytest.raises(InvalidInput):
        media.media_fetch(driver=UploadingDriver(), kind="text", url="https://cdn.example.com/x")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.test/dir/file.pdf?x=1", "file.pdf"),
        ("https://a.test/", ""),
        ("https://a.test/%2e%2e%2f%0d%0aevil%22.pdf", "__evil_.pdf"),
    ],
)
def test_the_file_name_comes_from_the_path_without_odd_characters(url: str, name: str) -> None:
    assert media._filename(url) == name
