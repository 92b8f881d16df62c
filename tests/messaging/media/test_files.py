"""Files: what is taken, how received ones are fetched, who gets them, how they go out."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from django_tenants.utils import schema_context

from messaging.drivers.whatsapp_cloud.media import LIMITS
from messaging.media.sniffing import looks_like, sniff
from tests.messaging.inbound.bodies import body, change

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
        import json

        self.plan[f"/v25.0/{media_id}"] = (200, "application/json", json.dumps(facts).encode())
        self.plan["/file"] = (200, kind, content)


@pytest.fixture
def provider(settings: Any, tmp_path: Any) -> Iterator[Provider]:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.STORAGES = settings.STORAGES | {
        "media": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    }
    made = Provider()
    settings.SANDBOX_URL = made.url
    yield made
    made.server.shutdown()
    made.server.server_close()


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


@pytest.fixture
def stored(committed: Any, provider: Provider) -> Any:
    """(organisation, other organisation, a stored PNG, a stored PDF)."""
    from messaging.media.files import file_create

    organization, other = committed
    with schema_context(organization.schema_name):
        made = [
            file_create(source=io.BytesIO(content), kind=kind, declared=declared, filename=name, limits=LIMITS)
            for content, kind, declared, name in (
                (PNG, "image", "image/png", "menu.png"),
                (b"%PDF-1.7 " + b"x" * 100, "document", "application/pdf", 'a"/b.pdf'),
            )
        ]
    return organization, other, *made


def test_links_end_and_cannot_be_forged_or_moved_to_another_organisation(stored: Any, client: Any) -> None:
    from messaging.media.links import media_url
    from tenants.models import Organization

    organization, other, file, _ = stored

    def status(url: str) -> int:
        answer = client.get("/media/" + token(url))
        answer.close()
        return int(answer.status_code)

    good = media_url(organization_uuid=organization.uuid, file_uuid=file.uuid)
    assert status(good) == 200
    assert status(media_url(organization_uuid=organization.uuid, file_uuid=file.uuid, seconds=0)) == 404
    assert status(media_url(organization_uuid=other.uuid, file_uuid=file.uuid)) == 404
    assert status(media_url(organization_uuid=organization.uuid, file_uuid=uuid4())) == 404
    assert status(media_url(organization_uuid=uuid4(), file_uuid=file.uuid)) == 404
    assert status(good[:-1] + ("A" if good[-1] != "A" else "B")) == 404
    assert status(good.replace(organization.uuid.hex, other.uuid.hex)) == 404
    assert [status(f"/media/{text}") for text in ("x", "a.b.c~d", "é", "~" * 2000)] == [404] * 4
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    try:
        assert status(good) == 404
    finally:
        Organization.objects.filter(pk=organization.pk).update(status="active")


def test_a_document_is_a_download_and_never_a_page(stored: Any, client: Any) -> None:
    from messaging.media.links import media_url

    organization, _, _, pdf = stored
    answer = client.get("/media/" + token(media_url(organization_uuid=organization.uuid, file_uuid=pdf.uuid)))
    answer.close()
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="a__b.pdf"'


@pytest.mark.parametrize(
    ("wanted", "status", "part", "said"),
    [
        ("bytes=0-3", 206, PNG[:4], f"bytes 0-3/{len(PNG)}"),
        ("bytes=4-", 206, PNG[4:], f"bytes 4-{len(PNG) - 1}/{len(PNG)}"),
        ("bytes=-5", 206, PNG[-5:], f"bytes {len(PNG) - 5}-{len(PNG) - 1}/{len(PNG)}"),
        ("bytes=0-999999", 200, PNG, None),
        ("bytes=999999-", 416, b"", f"bytes */{len(PNG)}"),
        ("bytes=5-2", 416, b"", f"bytes */{len(PNG)}"),
        ("bytes=-0", 416, b"", f"bytes */{len(PNG)}"),
        ("bytes=0-1,3-4", 200, PNG, None),
        ("lines=1-2", 200, PNG, None),
    ],
)
def test_a_part_of_a_file_can_be_asked_for(
    stored: Any, client: Any, wanted: str, status: int, part: bytes, said: str | None
) -> None:
    from messaging.media.links import media_url

    organization, _, file, _ = stored
    path = "/media/" + token(media_url(organization_uuid=organization.uuid, file_uuid=file.uuid))
    answer = client.get(path, headers={"Range": wanted})
    body_ = b"".join(answer.streaming_content) if answer.streaming else answer.content
    answer.close()
    assert (answer.status_code, body_, answer.get("Content-Range")) == (status, part, said)


def test_an_uploaded_file_is_checked_and_belongs_to_its_organisation(stored: Any, make_channel: Make) -> None:
    from messaging.drivers.registry import driver_of
    from messaging.media.files import file_create, files_guard
    from tenants.errors import InvalidInput

    organization, other, file, pdf = stored
    whatsapp = driver_of("whatsapp_cloud")
    with schema_context(organization.schema_name):
        files_guard(driver=whatsapp, content={"type": "image", "image": {"file": str(file.uuid)}})
        for name in ("nonsense", str(uuid4())):
            with pytest.raises(InvalidInput, match="There is no such file"):
                files_guard(driver=whatsapp, content={"type": "image", "image": {"file": name}})
        with pytest.raises(InvalidInput) as refused:
            file_create(source=io.BytesIO(HTML), kind="image", declared="image/png", filename="x.png", limits=LIMITS)
        assert refused.value.fields == {"file": "The file says that it is image/png and looks like text/html."}
    with schema_context(other.schema_name), pytest.raises(InvalidInput, match="There is no such file"):
        files_guard(driver=whatsapp, content={"type": "image", "image": {"file": str(file.uuid)}})


def test_the_same_file_for_many_people_is_uploaded_once_and_again_when_the_copy_ends(
    stored: Any, make_channel: Make, provider: Provider
) -> None:
    from messaging.dispatch.runtime import Engine
    from messaging.models import Message, ProviderCopy
    from messaging.services.accept import Draft, messages_accept
    from messaging.services.channels import channel_by_uuid

    organization, _, file, _ = stored
    channel = make_channel(organization)
    provider.plan[f"/v25.0/{channel.external_id}/media"] = (200, "application/json", b'{"id": "777"}')
    provider.plan[f"/v25.0/{channel.external_id}/messages"] = (200, "application/json", b'{"messages": []}')
    content = {"type": "image", "image": {"file": str(file.uuid), "caption": "Menu"}}

    def send(count: int) -> None:
        with schema_context(organization.schema_name):
            acceptance = messages_accept(
                organization=organization,
                channel=channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid),
                drafts=[Draft(f"2299700000{number + 1}", content) for number in range(count)],
                origin="api",
                priority=10,
            )
            assert acceptance.rejections == []
        engine.pump(organization.schema_name, channel.pk)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            with schema_context(organization.schema_name):
                if not Message.objects.filter(status__in=["queued", "processing"]).exists():
                    return
            time.sleep(0.05)
        raise AssertionError("not sent in time")

    def uploads() -> int:
        return sum(call == f"POST /v25.0/{channel.external_id}/media" for call, _ in provider.calls)

    engine = Engine().start()
    try:
        send(4)
        assert uploads() == 1
        send(2)
        assert uploads() == 1
        with schema_context(organization.schema_name):
            copy = ProviderCopy.objects.get()
            assert copy.media_id == "777"
            assert 29 <= (copy.expires_at - file.stored_at).days <= 30
            ProviderCopy.objects.update(expires_at=file.stored_at)
            Message.objects.all().delete()
    finally:
        engine.stop()
    engine = Engine().start()
    try:
        send(1)
        assert uploads() == 2
    finally:
        engine.stop()


def test_the_bucket_of_an_s3_service_is_used_when_it_is_named() -> None:
    import os
    import subprocess
    import sys

    program = (
        "import django; django.setup(); from messaging.media.files import media_storage as m; s = m();"
        "print(type(s).__name__, s.bucket_name, s.endpoint_url, s.default_acl)"
    )
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "MEDIA_S3_BUCKET": "griot-media",
        "MEDIA_S3_ENDPOINT": "http://127.0.0.1:9",
        "MEDIA_S3_ACCESS_KEY": "key",
        "MEDIA_S3_SECRET_KEY": "secret",
    }
    said = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert said.strip().endswith("S3Storage griot-media http://127.0.0.1:9 private")


def test_the_admin_shows_the_file_of_a_message_by_a_short_lived_link(live: Any, feed: Make, provider: Provider) -> None:
    from messaging.admin.conversation import conversation_of
    from messaging.admin.files import files_of
    from messaging.models import Message

    organization, channel, *_ = live
    provider.keeps("201", PNG, "image/png")
    messages = [image("201", PNG), image("202", PNG, mid="wamid.2")]
    feed(body(change(channel.external_id, messages=messages)))
    run_agenda()
    with schema_context(organization.schema_name):
        first, second = Message.objects.order_by("id")
        shown = files_of(message_ids=[first.pk, second.pk], organization_uuid=organization.uuid)
        lines = conversation_of(contact_id=first.contact_id, limit=10, organization_uuid=organization.uuid)
    (stored_file,), (waiting,) = shown[first.pk], shown[second.pk]
    assert (stored_file.is_picture, "/media/" in stored_file.url) == (True, True)
    assert (waiting.is_picture, waiting.url, waiting.text.startswith("Being fetched · ")) == (False, "", True)
    assert [len(line.files) for line in lines] == [1, 1]


def test_old_files_of_customers_go_with_their_content_and_uploads_stay(
    live: Any, stored: Any, feed: Make, provider: Provider, tmp_path: Any
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from messaging.models import MediaFile
    from tenants.services.retention_rules import retention_rule

    organization, channel, *_ = live
    provider.keeps("201", PNG, "image/png")
    feed(body(change(channel.external_id, messages=[image("201", PNG), image("202", PNG, mid="wamid.2")])))
    run_agenda()
    with schema_context(organization.schema_name):
        MediaFile.objects.exclude(provider_media_id="202").update(created_at=timezone.now() - timedelta(days=400))
        before = timezone.now() - timedelta(days=365)
        rule = retention_rule("files")
        assert rule.ripe(before=before, position={}, most=10) == 1
        step = rule.step(before=before, position={})
        assert (step.removed, step.finished) == (1, True)
        assert rule.step(before=before, position=step.position).removed == 0
        assert sorted(MediaFile.objects.values_list("state", flat=True)) == ["pending", "stored", "stored"]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_the_files_of_a_purged_organisation_go(stored: Any, tmp_path: Any) -> None:
    from messaging.media.removal import media_purge

    organization, other, *_ = stored
    assert media_purge("public", str(other.uuid)) is None
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2
    assert media_purge("public", str(organization.uuid)) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
