"""Files that customers send: what they are, how they are fetched, and that they go with their message."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django_tenants.utils import schema_context

from messaging.media.sniffing import looks_like, sniff
from tests.messaging.inbound.bodies import body, change
from tests.messaging.media.provider import HTML, PNG, Make, Provider, files, image, run_agenda, token


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"0" * 8, "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x18ftyp3gp4", "video/3gpp"),
        (b"OggS\x00", "audio/ogg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"name;phone\nAda;229", "text/plain"),
        ("é".encode()[:1], "text/plain"),
        (HTML, "text/html"),
        (b"  <svg xmlns='x' onload='y'>", "text/html"),
        (b"MZ\x90\x00\x03", ""),
        (b"\x00\x01\x02", ""),
    ],
)
def test_a_file_is_what_its_first_bytes_say(head: bytes, found: str) -> None:
    assert sniff(head) == found


def test_declared_types_that_look_like_others_are_known() -> None:
    assert looks_like("audio/mp4", "video/mp4")
    assert looks_like("application/msword", "application/x-ole")
    assert not looks_like("image/png", "text/html")
    assert not looks_like("application/pdf", "application/zip")


def test_a_received_file_is_noted_with_its_message_and_fetched_by_the_agenda(
    live: Any, feed: Make, provider: Provider, client: Any
) -> None:
    from messaging.media.links import media_url

    organization, channel, other, _ = live
    provider.keeps("201", PNG, "image/png")
    raw = body(change(channel.external_id, messages=[image("201", PNG)]))
    feed(raw)
    feed(raw)
    (file,) = files(organization)
    assert (file.state, file.kind, provider.calls) == ("pending", "image", [])
    assert run_agenda() == [None]
    assert run_agenda() == []
    (file,) = files(organization)
    assert (file.state, file.mime_type, file.size) == ("stored", "image/png", len(PNG))
    assert file.sha256 == hashlib.sha256(PNG).hexdigest()
    assert file.path.startswith(f"{organization.uuid}/")
    assert [call for call, _ in provider.calls] == [
        f"GET /v25.0/201?phone_number_id={channel.external_id}",
        "GET /file",
    ]
    assert {token_ for _, token_ in provider.calls} == {"Bearer sandbox-token-test"}
    answer = client.get("/media/" + token(media_url(organization_uuid=organization.uuid, file_uuid=file.uuid)))
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, PNG)
    answer.close()
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert files(other) == []


@pytest.mark.parametrize(
    ("content", "said", "reason"),
    [
        (HTML, {}, "looks like text/html"),
        (HTML, {"mime_type": "text/html"}, "Files of type text/html are not taken here."),
        (PNG, {"file_size": 6 * 1024 * 1024}, "at most 5242880 are allowed"),
        (PNG + b"x", {}, "its hash differs"),
        (b"", {}, "The file is empty."),
        (PNG, {"url": "https://evil.example/x"}, "not a media address of Meta"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * (5 * 1024 * 1024), {"file_size": 10}, "larger than 5242880 bytes"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_with_its_reason(
    live: Any, feed: Make, provider: Provider, content: bytes, said: dict[str, Any], reason: str
) -> None:
    organization, channel, *_ = live
    provider.keeps("201", content, said.get("mime_type", "image/png"), **said)
    feed(body(change(channel.external_id, messages=[image("201", PNG)])))
    assert run_agenda() == [None]
    (file,) = files(organization)
    assert (file.state, file.path) == ("refused", "")
    assert reason in file.reason


def test_a_provider_that_is_away_is_asked_again_until_it_has_removed_the_file(
    live: Any, feed: Make, provider: Provider
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from messaging.models import MediaFile

    organization, channel, *_ = live
    provider.plan["/v25.0/201"] = (503, "text/html", b"<html>")
    feed(body(change(channel.external_id, messages=[image("201", PNG)])))
    for attempt, wait in enumerate((10, 60, 300)):
        (next_at,) = run_agenda()
        assert abs((next_at - timezone.now()).total_seconds() - wait) < 5
        assert (files(organization)[0].state, files(organization)[0].attempts) == ("pending", attempt + 1)
    with schema_context(organization.schema_name):
        MediaFile.objects.update(created_at=timezone.now() - timedelta(days=7))
    assert run_agenda() == [None]
    (file,) = files(organization)
    assert (file.state, file.reason.startswith("Given up after seven days.")) == ("failed", True)


def test_a_file_behind_a_link_is_fetched_but_never_from_a_private_address(
    committed: Any, make_channel: Make, feed: Make, provider: Provider, settings: Any
) -> None:
    import json

    organization, _ = committed
    make_channel(organization, kind="messenger", external_id="3044556677", account_id="", address="")
    provider.plan["/x.png"] = (200, "image/png", PNG)
    message = {"mid": "m_1", "attachments": [{"type": "image", "payload": {"url": f"{provider.url}/x.png"}}]}
    item = {"sender": {"id": "111111"}, "recipient": {"id": "3044556677"}, "timestamp": 1790000000000}
    entry = {"id": "3044556677", "time": 1, "messaging": [item | {"message": message}]}
    settings.EGRESS_ALLOWED_NETWORKS = []
    feed(json.dumps({"object": "page", "entry": [entry]}).encode())
    assert run_agenda() == [None]
    (file,) = files(organization)
    assert (file.state, file.reason) == ("refused", "The URL leads to an address that is not public.")
    assert provider.calls == []
    settings.EGRESS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    message["mid"] = "m_2"
    feed(json.dumps({"object": "page", "entry": [entry]}).encode())
    assert run_agenda() == [None]
    assert [file.state for file in files(organization)] == ["refused", "stored"]
    assert provider.calls == [("GET /x.png", "")]


def test_a_message_taken_back_takes_its_file_along(live: Any, feed: Make, provider: Provider, tmp_path: Any) -> None:
    organization, channel, *_ = live
    provider.keeps("201", PNG, "image/png")
    feed(body(change(channel.external_id, messages=[image("201", PNG)])))
    run_agenda()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    gone = {"from": "22997000001", "id": "wamid.2", "timestamp": "1790000001", "type": "revoke"}
    feed(body(change(channel.external_id, messages=[gone | {"revoke": {"original_message_id": "wamid.1"}}])))
    assert run_agenda("media_remove") == [None]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert files(organization)[0].state == "removed"
