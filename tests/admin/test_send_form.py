"""The admin's form that sends: a text, or a file that is checked and kept first; what is refused leaves nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django_tenants.utils import tenant_context

from messaging.models import MediaFile, Message

ADDRESS = "/admin/messaging/message/add/"
pytestmark = pytest.mark.usefixtures("storage")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def send(organization: Any, make_channel: Any, make_member: Any, login: Any) -> Any:
    """`send(role="sender", kind=..., **fields)`: posts the form; (response, messages, files)."""

    def run(role: str = "sender", kind: str = "whatsapp_cloud", **fields: Any) -> Any:
        channel = make_channel(organization, kind=kind)
        client = login(make_member(organization, role).user, organization)
        response = client.post(ADDRESS, {"channel": channel.pk, "to": "+22961000001", "text": ""} | fields)
        with tenant_context(organization):
            return response, list(Message.objects.all()), list(MediaFile.objects.exclude(state="removed"))

    return run


def photo(content: bytes = PNG, mime: str = "image/png", name: str = "photo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, mime)


def test_a_picture_goes_out_with_the_text_as_its_caption(send: Any) -> None:
    response, (message,), (file,) = send(text="Your receipt", file=photo())
    assert response.status_code == 302
    assert message.content == {"type": "image", "image": {"file": str(file.uuid), "caption": "Your receipt"}}


def test_a_document_keeps_its_name(send: Any) -> None:
    _response, (message,), (file,) = send(file=photo(b"%PDF-1.7 " + bytes(40), "application/pdf", "bill.pdf"))
    assert message.content == {"type": "document", "document": {"file": str(file.uuid), "filename": "bill.pdf"}}


def test_a_text_alone_goes_out_as_before(send: Any) -> None:
    _response, (message,), files = send(text="Hello")
    assert (message.content, files) == ({"type": "text", "text": {"body": "Hello"}}, [])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Write a text or choose a file."),
        ({"file": photo(b"<html><script>alert(1)</script></html>")}, "looks like"),
        ({"file": photo(PNG + bytes(6 * 1024 * 1024))}, "at most"),
        ({"file": photo(b"MZ\x90\x00" + bytes(60), "application/x-msdownload", "a.exe")}, "are not taken here"),
        ({"file": photo(), "to": "12"}, "phone"),
        ({"file": photo(), "text": "x" * 1025}, "1024"),
    ],
)
def test_what_is_refused_is_said_at_its_field_and_leaves_nothing(send: Any, fields: Any, said: str) -> None:
    response, messages, files = send(**fields)
    assert response.status_code == 200
    assert said in response.content.decode()
    assert (messages, files) == ([], [])


def test_messenger_says_that_files_have_no_caption(send: Any) -> None:
    response, messages, files = send(kind="messenger", to="24581177336690015", text="Look", file=photo())
    assert "is not possible here, send the text as a message of its own" in response.content.decode()
    assert (messages, files) == ([], [])


def test_whoever_may_not_send_keeps_no_file_either(send: Any) -> None:
    response, messages, files = send(role="viewer", file=photo())
    assert (response.status_code, messages, files) == (403, [], [])
