"""Requests to Meta and the reading of its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from messaging.drivers.base import Ambiguous, ChannelInfo, HttpResponse, Outgoing, Sent
from messaging.drivers.uploads import MediaReference, UploadFile
from messaging.drivers.whatsapp_cloud.driver import WhatsAppCloudDriver
from tests.messaging.drivers import samples

DRIVER = WhatsAppCloudDriver()
CHANNEL = ChannelInfo(
    "512094478812345", "980215774401238", "15550123400", "https://graph.test", {}, {"access_token": "T"}
)
UUID = "0198c0de-0000-7000-8000-000000000001"
TEXT = {"type": "text", "text": {"body": "Hi"}}
NOT_SENT = {"register", "subscribed_apps_override", "template_create_named", "template_create_positional"}
MARKS = {"mark_read", "mark_read_typing"}


def _send(content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    request = DRIVER.build_send(
        CHANNEL, Outgoing(**({"uuid": UUID, "address": "15550140071", "content": content} | fields))
    )
    return dict(json.loads(request.body))


def test_a_text_is_posted_to_the_number_with_our_uuid_as_echo() -> None:
    request = DRIVER.build_send(CHANNEL, Outgoing(UUID, "22997000001", TEXT))
    assert (request.method, request.url) == ("POST", "https://graph.test/v25.0/512094478812345/messages")
    assert request.headers == {"Authorization": "Bearer T", "Content-Type": "application/json"}
    assert json.loads(request.body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+22997000001",
        "type": "text",
        "text": {"body": "Hi"},
        "biz_opaque_callback_data": UUID,
    }


def test_the_channels_own_graph_version_wins() -> None:
    channel = ChannelInfo("5", "9", "1", "https://graph.test", {"graph_version": "v99.0"}, {})
    assert DRIVER.build_send(channel, Outgoing(UUID, "1", TEXT)).url == "https://graph.test/v99.0/5/messages"


def test_a_person_without_a_phone_is_addressed_by_the_user_id() -> None:
    sent = _send(TEXT, address="US.7Qm2Zk81", address_kind="bsuid")
    assert sent["recipient"] == "US.7Qm2Zk81"
    assert "to" not in sent


def test_an_answer_quotes_and_a_reaction_does_not() -> None:
    assert _send(TEXT, reply_to="wamid.1")["context"] == {"message_id": "wamid.1"}
    reaction = {"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}
    assert "context" not in _send(reaction, reply_to="wamid.1")


@samples.needed
@pytest.mark.parametrize("name", [name for name in samples.names("wa_request") if name not in NOT_SENT | MARKS])
def test_every_documented_request_can_be_made(name: str) -> None:
    documented = samples.load("wa_request", name)
    kind = documented["type"]
    content = {"type": kind, kind: documented[kind]}
    DRIVER.validate(content)
    fields: dict[str, Any] = {"reply_to": documented.get("context", {}).get("message_id", "")}
    if "recipient" in documented:
        fields |= {"address": documented["recipient"], "address_kind": "bsuid"}
    made = _send(content, **fields)
    assert made.pop("biz_opaque_callback_data") == UUID
    documented.pop("biz_opaque_callback_data", None)
    assert made == documented


@samples.needed
@pytest.mark.parametrize(("name", "typing"), [("mark_read", False), ("mark_read_typing", True)])
def test_marking_as_read_is_as_documented(name: str, typing: bool) -> None:
    documented = samples.load("wa_request", name)
    (request,) = DRIVER.build_mark_read(
        CHANNEL, provider_id=documented["message_id"], address="22997000001", typing=typing
    )
    assert (request.url, json.loads(request.body)) == ("https://graph.test/v25.0/512094478812345/messages", documented)


def test_only_templates_do_not_need_the_window() -> None:
    assert DRIVER.needs_window(TEXT)
    assert not DRIVER.needs_window({"type": "template", "template": {}})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"contacts": [{"wa_id": "1555"}], "messages": [{"id": "wamid.1"}]}, Sent("wamid.1", "1555")),
        ({"contacts": [{"user_id": "US.1"}], "messages": [{"id": "wamid.1"}]}, Sent("wamid.1", "US.1")),
        ({"messages": [{"id": "wamid.1", "message_status": "accepted"}]}, Sent("wamid.1")),
        (
            {"messages": [{"id": "wamid.1", "message_status": "held_for_quality_assessment"}]},
            Sent("wamid.1", "", "Held by Meta until the quality of the template has been assessed."),
        ),
    ],
)
def test_an_accepted_message_has_its_id(answer: dict[str, Any], expected: Sent) -> None:
    assert DRIVER.read_send(HttpResponse(200, json.dumps(answer).encode())) == expected


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"messages": []}', b'{"messages": [{"id": ""}]}', b'{"messages"']
)
def test_a_200_without_an_id_leaves_the_outcome_open(body: bytes) -> None:
    with pytest.raises(Ambiguous):
        DRIVER.read_send(HttpResponse(200, body))


def test_an_upload_is_a_multipart_form_with_the_file() -> None:
    request = DRIVER.build_media_upload(CHANNEL, UploadFile(b"\x00PDF", "application/pdf", 'in"voice\r\n.pdf'))
    assert (request.method, request.url) == ("POST", "https://graph.test/v25.0/512094478812345/media")
    boundary = request.headers["Content-Type"].partition("boundary=")[2]
    parts = request.body.split(f"--{boundary}".encode())
    assert parts[-1] == b"--\r\n"
    assert b'name="messaging_product"\r\n\r\nwhatsapp\r\n' in parts[1]
    assert b'name="type"\r\n\r\napplication/pdf\r\n' in parts[2]
    assert parts[3] == (
        b'\r\nContent-Disposition: form-data; name="file"; filename="in_voice__.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n\x00PDF\r\n"
    )
    assert DRIVER.read_media_upload(HttpResponse(200, b'{"id": "139"}')) == "139"


@pytest.mark.parametrize("size", [303833, "303833"])
def test_a_media_id_leads_to_a_file(size: Any) -> None:
    request = DRIVER.build_media_get(CHANNEL, "20/1")
    assert request.url == "https://graph.test/v25.0/20%2F1?phone_number_id=512094478812345"
    body = {
        "url": "https://lookaside.fbsbx.com/x",
        "mime_type": "image/jpeg",
        "sha256": "ab",
        "file_size": size,
        "id": "201",
    }
    reference = DRIVER.read_media_get(HttpResponse(200, json.dumps(body).encode()))
    assert reference == MediaReference("201", "https://lookaside.fbsbx.com/x", "image/jpeg", "ab", 303833)
    download = DRIVER.build_media_download(CHANNEL, reference)
    assert (download.url, download.headers) == ("https://lookaside.fbsbx.com/x", {"Authorization": "Bearer T"})


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/x",
        "https://fbsbx.com.evil.test/x",
        "https://evilfbsbx.com/x",
        "http://lookaside.fbsbx.com/x",
        "https://graph.test.evil.test/x",
        "https://graph.test@evil.test/x",
    ],
)
def test_the_token_goes_to_no_other_host(url: str) -> None:
    with pytest.raises(ValueError, match="not a media address"):
        DRIVER.build_media_download(CHANNEL, MediaReference("1", url, "", "", 0))


def test_a_file_of_the_channels_own_server_may_be_fetched() -> None:
    reference = MediaReference("1", "https://graph.test/media/1", "", "", 0)
    assert DRIVER.build_media_download(CHANNEL, reference).url == "https://graph.test/media/1"
