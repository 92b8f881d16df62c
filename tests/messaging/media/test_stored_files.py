"""Files that are stored: who gets them, how they go out, and when they go."""

from __future__ import annotations

import io
import time
from typing import Any
from uuid import uuid4

import pytest
from django_tenants.utils import schema_context

from messaging.drivers.whatsapp_cloud.media import LIMITS
from tests.messaging.inbound.bodies import body, change
from tests.messaging.media.provider import HTML, PNG, Make, Provider, image, run_agenda, token


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
