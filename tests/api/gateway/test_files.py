"""Files to send: uploaded or behind a link, checked by their content, named by messages, never another account's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from contacts.models import ServiceWindow
from messaging.drivers.registry import drivers
from messaging.models import Channel, MediaFile, Message
from messaging.services import channels
from tests.api.gateway.caller import Vendor, refusal, wrong_fields

pytestmark = pytest.mark.usefixtures("storage")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
PERSON = "24581177336690015"


def upload(vendor: Vendor, content: bytes = PNG, mime: str = "image/png", **fields: Any) -> Any:
    form = {"file": SimpleUploadedFile("photo.png", content, mime), "type": "image"} | fields
    form = {name: value for name, value in form.items() if value is not None}
    return vendor.client.post("/v1/files", form, headers={"Authorization": f"Bearer {vendor.key}"})


@pytest.fixture
def site() -> Iterator[str]:
    """A web server with a picture at /photo.png, a page of HTML at /page.png and a redirect at /moved.png."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved.png":
                self.send_response(302)
                self.send_header("Location", "/photo.png")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(PNG if self.path == "/photo.png" else b"<html><script>alert(1)</script></html>")

        def log_message(self, *_arguments: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_upload_is_kept_and_sent_by_its_id(vendor: Vendor, text: dict[str, Any]) -> None:
    response = upload(vendor)
    assert response.status_code == 201, response.content
    file = response.json()["file"]
    assert (file["type"], file["mimeType"], file["size"], file["name"]) == ("image", "image/png", 48, "photo.png")
    body = text | {"type": "image", "image": {"file": file["id"], "caption": "Receipt"}}
    assert vendor.post("/messages", body).status_code == 202
    assert Message.objects.get().content["image"] == {"file": file["id"], "caption": "Receipt"}


def test_the_file_behind_a_link_is_kept(vendor: Vendor, site: str) -> None:
    response = vendor.post("/files", {"link": f"{site}/photo.png", "type": "image"})
    assert response.status_code == 201, response.content
    assert MediaFile.objects.get(uuid=response.json()["file"]["id"]).state == "stored"


@pytest.mark.parametrize(("path", "code"), [("/moved.png", "file_unreachable"), ("/page.png", "media_refused")])
def test_redirects_and_what_only_says_that_it_is_a_picture_are_refused(
    vendor: Vendor, site: str, path: str, code: str
) -> None:
    assert refusal(vendor.post("/files", {"link": site + path, "type": "image"})) == (422, code)
    assert not MediaFile.objects.exists()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"file": None}, {"file"}),
        ({"type": None}, {"type"}),
        ({"type": "fax"}, {"type"}),
        ({"channelType": "SMS"}, {"channelType"}),
        ({"content": b""}, {"file"}),
        ({"content": b"<html><body>x</body></html>"}, {"file"}),
        ({"content": b"%PDF-1.7 x", "mime": "application/pdf"}, {"file"}),
        ({"content": PNG + bytes(6 * 1024 * 1024)}, {"file"}),
    ],
)
def test_odd_uploads_are_refused(vendor: Vendor, fields: Any, wrong: set[str]) -> None:
    response = upload(vendor, **fields)
    assert (response.status_code, wrong_fields(response)) == (422, wrong)
    assert not MediaFile.objects.exists()


def test_the_limits_are_those_of_the_type_of_channel(vendor: Vendor) -> None:
    large = PNG + bytes(6 * 1024 * 1024)
    assert upload(vendor, large).status_code == 422
    assert upload(vendor, large, channelType="FACEBOOK").status_code == 201


@pytest.mark.parametrize(
    ("kind", "body"), [("multipart/form-data", b"x"), ("multipart/form-data; boundary=x", b"--x\r\nnonsense")]
)
def test_broken_forms_are_refused(vendor: Vendor, kind: str, body: bytes) -> None:
    response = vendor.client.generic(
        "POST", "/v1/files", body, content_type=kind, headers={"Authorization": f"Bearer {vendor.key}"}
    )
    assert response.status_code == 422, response.content


def test_a_form_larger_than_any_file_is_not_read(vendor: Vendor) -> None:
    most = max(limit.max_bytes for driver in drivers().values() for limit in driver.media_limits.values())
    response = vendor.client.generic(
        "POST",
        "/v1/files",
        b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(most * 2),
        headers={"Authorization": f"Bearer {vendor.key}"},
    )
    assert refusal(response) == (413, "body_too_large")


@pytest.mark.parametrize("name", ["0190b8a2-6c1e-7f3a-9a53-2f1b4c5d6e7f", "x", "../../etc/passwd"])
def test_a_file_that_does_not_exist_is_not_sent(vendor: Vendor, text: dict[str, Any], name: str) -> None:
    response = vendor.post("/messages", text | {"type": "image", "image": {"file": name}})
    assert response.status_code == 422
    assert not Message.objects.exists()


def test_another_accounts_file_does_not_exist(
    vendor: Vendor, text: dict[str, Any], make_vendor: Callable[..., Vendor], other_organization: Any
) -> None:
    foreign = upload(make_vendor(other_organization)).json()["file"]["id"]
    response = vendor.post("/messages", text | {"type": "image", "image": {"file": foreign}})
    assert refusal(response) == (422, "file_not_found")


def test_a_file_of_a_kind_that_the_channel_does_not_take_is_not_sent(vendor: Vendor, text: dict[str, Any]) -> None:
    file = upload(vendor, PNG + bytes(6 * 1024 * 1024), channelType="FACEBOOK").json()["file"]["id"]
    response = vendor.post("/messages", text | {"type": "image", "image": {"file": file}})
    assert refusal(response) == (422, "file_not_allowed")


def test_a_key_without_the_scope_keeps_nothing(make_vendor: Callable[..., Vendor], in_schema: Any) -> None:
    assert refusal(upload(make_vendor(in_schema, scopes=["messages:read"]))) == (403, "scope_missing")


@pytest.mark.parametrize(("allowed", "expected"), [(True, 202), (False, 422)])
def test_what_a_person_wrote_has_seven_days_where_meta_allows_it(
    vendor: Vendor, in_schema: Any, make_channel: Any, allowed: bool, expected: int
) -> None:
    page = make_channel(in_schema, kind="messenger", external_id="304455667788990", account_id="", address="")
    Channel.objects.filter(pk=page.pk).update(config={"human_agent": allowed})
    Channel.objects.filter(pk=page.pk).update(enforce_window=True)
    channels._snapshots.clear()
    ServiceWindow.objects.create(channel_id=page.pk, address=PERSON, last_inbound_at=timezone.now() - timedelta(days=2))
    body = {"channelId": str(page.uuid), "channelType": "FACEBOOK", "to": PERSON, "type": "text", "text": "Sorry, late"}
    response = vendor.post("/messages", body | {"byPerson": True})
    assert response.status_code == expected, response.content
    assert refusal(vendor.post("/messages", body)) == (422, "window_closed")


@pytest.fixture
def received(channel: Any) -> MediaFile:
    """A picture that a customer sent, which is not fetched yet."""
    message = Message.objects.create(
        channel=channel,
        direction="in",
        status="received",
        address="22961000001",
        type="image",
        content={"type": "image", "image": {"id": "2011"}},
        origin="customer",
    )
    return MediaFile.objects.create(message=message, channel=channel, kind="image", filename="a.png")


def test_a_received_file_is_shown_with_its_message_and_opened_by_a_link_once_it_is_there(
    vendor: Vendor, received: MediaFile
) -> None:
    shown = vendor.get(f"/files/{received.uuid}").json()["file"]
    assert (shown["state"], shown["url"], shown["size"]) == ("pending", None, None)
    vendor.get("/customers")
    kept = upload(vendor).json()["file"]
    vendor.get("/customers")
    stored = MediaFile.objects.get(uuid=kept["id"])
    MediaFile.objects.filter(pk=received.pk).update(state="stored", path=stored.path, mime_type="image/png", size=48)
    (row,) = vendor.get("/messages").json()["messages"]
    assert [(file["id"], file["state"], file["mimeType"], file["name"]) for file in row["files"]] == [
        (str(received.uuid), "stored", "image/png", "a.png")
    ]
    assert vendor.get(f"/files/{received.uuid}").json()["file"]["size"] == 48
    content = vendor.client.get(urlsplit(row["files"][0]["url"]).path)
    assert (content.status_code, b"".join(content)) == (200, PNG)


@pytest.mark.parametrize("name", ["0190b8a2-6c1e-7f3a-9a53-2f1b4c5d6e7f", "x", "%00", "1"])
def test_files_that_do_not_exist_are_404(vendor: Vendor, name: str) -> None:
    assert refusal(vendor.get(f"/files/{name}")) == (404, "file_unknown")


def test_another_accounts_file_and_a_live_channels_file_for_a_test_key_are_404(
    make_vendor: Callable[..., Vendor], other_organization: Any, in_schema: Any, received: MediaFile
) -> None:
    Channel.objects.update(is_sandbox=False)
    tester = make_vendor(in_schema, mode="test")
    assert refusal(tester.get(f"/files/{received.uuid}")) == (404, "file_unknown")
    other = make_vendor(other_organization)
    assert refusal(other.get(f"/files/{received.uuid}")) == (404, "file_unknown")
