"""POST /messages/send and /messages/send-media, GET /messages/{id}."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contacts.models import Contact, Suppression
from messaging.models import Channel, Message
from messaging.models.message import PRIORITY_TRANSACTIONAL
from messaging.services.channels import channel_pause
from tests.api.transactional.caller import problem, wrong_fields

UNKNOWN = "a3f1b2c4-1234-4abc-9def-000011112222"


def test_a_text_message_is_queued(caller, channel, text):
    response = caller.post("/messages/send", text)
    assert response.status_code == 202
    assert response["Content-Type"] == "application/json"
    answer = response.json()
    assert answer["status"] == "queued"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", answer["queuedAt"])
    message = Message.objects.get()
    assert message.uuid == UUID(answer["messageId"])
    assert message.content == {"type": "text", "text": {"body": "Hello"}}
    assert (message.address, message.channel_id) == ("22996123456", channel.pk)
    assert (message.status, message.direction, message.origin) == ("queued", "out", "api")
    assert message.priority == PRIORITY_TRANSACTIONAL
    assert message.api_key_id is not None
    assert not Contact.objects.exists()


def test_save_contact_keeps_the_recipient_once(caller, text):
    for _ in range(2):
        assert caller.post("/messages/send", text | {"saveContact": True}).status_code == 202
    assert list(Contact.objects.values_list("phone", flat=True)) == ["22996123456"]


def test_variables_are_filled_and_unknown_fields_ignored(caller, text):
    body = text | {"message": "Hi {{name}}", "variables": {"name": "Awa {{x}}", "more": "1"}, "unknown": [{}]}
    assert caller.post("/messages/send", body).status_code == 202
    assert Message.objects.get().content["text"]["body"] == "Hi Awa {{x}}"


@pytest.mark.parametrize("variables", [{}, {"variables": {}}, {"variables": {"other": "x"}}])
def test_a_missing_variable_is_422_and_named(caller, text, variables):
    response = caller.post("/messages/send", text | {"message": "Hi {{name}}"} | variables)
    assert problem(response) == (422, "variable_missing")
    assert wrong_fields(response) == {"variables.name": "variable_missing"}
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"to": None}, {"to": "invalid_type"}),
        ({"to": 22996123456}, {"to": "invalid_type"}),
        ({"to": "1234567"}, {"to": "too_short"}),
        ({"to": "1" * 21}, {"to": "too_long"}),
        ({"to": "not a number"}, {"to": "invalid_phone"}),
        ({"to": "2299612\x003456"}, {"to": "invalid_characters"}),
        ({"message": ""}, {"message": "too_short"}),
        ({"message": " \n "}, {"message": "blank"}),
        ({"message": "x" * 4097}, {"message": "too_long"}),
        ({"message": "a\x00b"}, {"message": "invalid_characters"}),
        ({"message": ["x"]}, {"message": "invalid_type"}),
        ({"message": {"a": "{{v}}"}}, {"message": "invalid_type"}),
        ({"message": "{{v}}", "variables": {"v": "x" * 4096 + "y"}}, {"variables.v": "too_long"}),
        ({"message": "a{{v}}", "variables": {"v": "x" * 4096}}, {"message": "invalid_content"}),
        ({"variables": {"v": 1}}, {"variables.v": "invalid_type"}),
        ({"variables": ["v"]}, {"variables": "invalid_type"}),
        ({"variables": {"v": "\x00"}}, {"variables.v": "invalid_characters"}),
        ({"saveContact": "yes"}, {"saveContact": "invalid_type"}),
        ({"providerId": "x"}, {"providerId": "invalid_format"}),
        ({"providerId": "{" + UNKNOWN + "}"}, {"providerId": "invalid_format"}),
        ({"providerId": 7}, {"providerId": "invalid_type"}),
        ({"to": 1, "message": 2, "providerId": 3},
         {"to": "invalid_type", "message": "invalid_type", "providerId": "invalid_type"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_422_and_named(caller, text, changed, wrong):
    response = caller.post("/messages/send", text | changed)
    assert wrong_fields(response) == wrong
    assert not Message.objects.exists()


def test_all_missing_fields_are_named_at_once(caller):
    response = caller.post("/messages/send", {})
    assert problem(response) == (422, "validation_failed")
    assert wrong_fields(response) == {"providerId": "required", "to": "required", "message": "required"}


def test_an_unknown_or_foreign_provider_is_404(caller, text, other_organization, make_channel):
    foreign = make_channel(other_organization)
    for provider_id in (UNKNOWN, str(foreign.uuid)):
        assert problem(caller.post("/messages/send", text | {"providerId": provider_id})) == (404, "provider_not_found")
    assert not Message.objects.exists()


@pytest.mark.parametrize("status", [Channel.Status.PAUSED, Channel.Status.PENDING, Channel.Status.DISCONNECTED])
def test_a_provider_that_is_not_connected_is_409(caller, channel, text, status):
    Channel.objects.filter(pk=channel.pk).update(status=status)
    assert problem(caller.post("/messages/send", text)) == (409, "provider_not_connected")
    assert not Message.objects.exists()


def test_a_pause_is_effective_within_a_second(caller, channel, text):
    assert caller.post("/messages/send", text).status_code == 202
    channel_pause(channel_id=channel.pk, reason="payment")
    time.sleep(1)
    assert caller.post("/messages/send", text).status_code == 409


def test_suppressed_and_own_numbers_are_refused(caller, channel, text):
    Suppression.objects.create(address="22996123456", reason="opt_out", scope="all")
    assert problem(caller.post("/messages/send", text)) == (422, "suppressed")
    own = caller.post("/messages/send", text | {"to": channel.address})
    assert problem(own) == (422, "recipient_is_sender")
    assert wrong_fields(own) == {"to": "recipient_is_sender"}


def test_a_closed_window_is_refused_where_the_channel_enforces_it(caller, in_schema, make_channel, text):
    live = make_channel(in_schema, is_sandbox=False, address="22997000001")
    response = caller.post("/messages/send", text | {"providerId": str(live.uuid)})
    assert problem(response) == (422, "window_closed")


def test_a_message_for_later_waits_for_its_time(caller, text):
    at = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    response = caller.post("/messages/send", text | {"scheduleAt": at.isoformat()})
    assert response.status_code == 202
    message = Message.objects.get()
    assert (message.status, message.due_at) == ("scheduled", at)
    assert caller.get(f"/messages/{message.uuid}").json()["status"] == "queued"


def test_a_time_that_has_just_passed_means_now(caller, text):
    at = datetime.now(UTC) - timedelta(seconds=30)
    assert caller.post("/messages/send", text | {"scheduleAt": at.isoformat()}).status_code == 202
    assert Message.objects.get().status == "queued"


@pytest.mark.parametrize(
    ("at", "code"),
    [
        ("2020-01-01T00:00:00Z", "schedule_in_past"),
        (timedelta(seconds=-90), "schedule_in_past"),
        (timedelta(days=367), "schedule_too_far"),
        ("9999-12-31T23:59:59-14:00", "invalid_format"),
        ("2027-01-31T09:00:00", "invalid_format"),
        ("2027-02-30T09:00:00Z", "invalid_format"),
        ("2027-01-31", "invalid_format"),
        ("tomorrow", "invalid_format"),
        ("", "invalid_format"),
        (1_800_000_000, "invalid_type"),
        (None, "invalid_type"),
    ],
)
def test_a_time_that_cannot_be_kept_is_422(caller, text, at, code):
    value = (datetime.now(UTC) + at).isoformat() if isinstance(at, timedelta) else at
    assert wrong_fields(caller.post("/messages/send", text | {"scheduleAt": value})) == {"scheduleAt": code}
    assert not Message.objects.exists()


def test_a_schedule_counts_the_year_by_the_calendar(caller, text, time_machine):
    time_machine.move_to(datetime(2028, 2, 29, 12, tzinfo=UTC), tick=False)
    exactly = text | {"scheduleAt": "2029-02-28T12:00:00Z"}
    assert caller.post("/messages/send", exactly).status_code == 202
    after = text | {"scheduleAt": "2029-02-28T12:00:01Z"}
    assert wrong_fields(caller.post("/messages/send", after)) == {"scheduleAt": "schedule_too_far"}


@pytest.mark.parametrize(
    ("kind", "url", "expected"),
    [
        ("image", "https://example.com/a.jpg", {"link": "https://example.com/a.jpg", "caption": "Yours"}),
        ("video", "http://example.com:80/v.mp4?t=1", {"link": "http://example.com:80/v.mp4?t=1", "caption": "Yours"}),
        ("document", "https://example.com/in/My%20bill.pdf?x=1#p",
         {"link": "https://example.com/in/My%20bill.pdf?x=1#p", "caption": "Yours", "filename": "My bill.pdf"}),
        ("document", "https://example.com/",
         {"link": "https://example.com/", "caption": "Yours", "filename": "document"}),
    ],
)  # fmt: skip
def test_media_is_queued_by_its_link(caller, text, kind, url, expected):
    body = {**text, "mediaUrl": url, "mediaType": kind, "caption": "Yours"}
    assert caller.post("/messages/send-media", body).status_code == 202
    message = Message.objects.get()
    assert message.type == kind
    assert message.content == {"type": kind, kind: expected}


def test_audio_has_no_caption(caller, text):
    body = {**text, "mediaUrl": "https://example.com/a.ogg", "mediaType": "audio"}
    assert wrong_fields(caller.post("/messages/send-media", body | {"caption": "x"})) == {"caption": "not_possible"}
    assert caller.post("/messages/send-media", body | {"caption": ""}).status_code == 202
    assert Message.objects.get().content == {"type": "audio", "audio": {"link": "https://example.com/a.ogg"}}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"mediaType": "sticker"}, {"mediaType": "not_possible"}),
        ({"mediaType": ["image"]}, {"mediaType": "invalid_type"}),
        ({"mediaUrl": "ftp://example.com/a"}, {"mediaUrl": "invalid_format"}),
        ({"mediaUrl": "/a.jpg"}, {"mediaUrl": "invalid_format"}),
        ({"mediaUrl": "https://"}, {"mediaUrl": "invalid_format"}),
        ({"mediaUrl": "https://[::1"}, {"mediaUrl": "invalid_format"}),
        ({"mediaUrl": "https://example.com:99999/"}, {"mediaUrl": "invalid_format"}),
        ({"mediaUrl": "https://user:pw@example.com/"}, {"mediaUrl": "invalid_format"}),
        ({"mediaUrl": "https://exa mple.com/"}, {"mediaUrl": "invalid_format"}),
        ({"mediaUrl": "https://example.com/" + "a" * 2048}, {"mediaUrl": "too_long"}),
        ({"mediaUrl": 1}, {"mediaUrl": "invalid_type"}),
        ({"caption": "x" * 1025}, {"caption": "too_long"}),
        ({"caption": 5}, {"caption": "invalid_type"}),
    ],
)
def test_media_that_cannot_be_sent_is_422(caller, text, changed, wrong):
    body = {**text, "mediaUrl": "https://example.com/a.jpg", "mediaType": "image"} | changed
    assert wrong_fields(caller.post("/messages/send-media", body)) == wrong
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("status", "public"),
    [
        ("queued", "queued"),
        ("scheduled", "queued"),
        ("processing", "processing"),
        ("in_doubt", "processing"),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("read", "delivered"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
    ],
)
def test_the_status_is_one_of_the_documented_ones(caller, channel, text, status, public):
    message_id = caller.post("/messages/send", text).json()["messageId"]
    Message.objects.filter(uuid=message_id).update(status=status)
    answer = caller.get(f"/messages/{message_id}").json()
    assert answer["status"] == public
    assert (answer["messageId"], answer["to"], answer["providerId"]) == (message_id, "22996123456", str(channel.uuid))
    assert answer["sentAt"] is answer["deliveredAt"] is answer["failedAt"] is None
    assert answer["failureCode"] is answer["failureReason"] is None


def test_times_and_failures_are_shown_but_never_the_text(caller, text):
    message_id = caller.post("/messages/send", text | {"message": "Secret words"}).json()["messageId"]
    at = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    Message.objects.filter(uuid=message_id).update(
        status="failed", sent_at=at, read_at=at, failed_at=at, error_code="131026", error_reason="Not on WhatsApp."
    )
    response = caller.get(f"/messages/{message_id}")
    answer = response.json()
    moment = "2026-11-22T10:00:00Z"
    assert (answer["sentAt"], answer["deliveredAt"], answer["failedAt"]) == (moment, moment, moment)
    assert (answer["failureCode"], answer["failureReason"]) == ("131026", "Not on WhatsApp.")
    assert b"Secret words" not in response.content


def test_received_foreign_and_impossible_ids_are_404(
    caller, channel, text, other_organization, make_caller, make_channel
):
    incoming = Message.objects.create(
        channel=channel,
        direction="in",
        status="received",
        address="22996123456",
        type="text",
        content={},
        origin="customer",
    )
    theirs = make_channel(other_organization)
    foreign = make_caller(other_organization).post("/messages/send", text | {"providerId": str(theirs.uuid)})
    assert foreign.status_code == 202
    for message_id in (incoming.uuid, foreign.json()["messageId"], UNKNOWN, "x", "1", "%00", "{" + UNKNOWN + "}", "é"):
        assert problem(caller.get(f"/messages/{message_id}")) == (404, "message_not_found"), message_id


def test_a_test_key_sees_and_uses_sandbox_channels_only(in_schema, channel, make_channel, make_caller, text):
    live = make_channel(in_schema, is_sandbox=False, enforce_window=False, address="22997000001")
    with_live_key, with_test_key = make_caller(in_schema), make_caller(in_schema, mode="test")
    sent = with_live_key.post("/messages/send", text | {"providerId": str(live.uuid)}).json()["messageId"]
    assert with_live_key.get(f"/messages/{sent}").status_code == 200
    assert problem(with_test_key.get(f"/messages/{sent}")) == (404, "message_not_found")
    for path in ("/messages/send", "/messages/send-media", "/messages/send-bulk", "/otp/send"):
        body = text | {
            "providerId": str(live.uuid), "mediaUrl": "https://example.com/a.jpg", "mediaType": "image",
            "messageTemplate": "x", "recipients": [{"to": "22996123456"}], "phoneNumber": "22996123456",
        }  # fmt: skip
        assert problem(with_test_key.post(path, body)) == (404, "provider_not_found")
    assert [row["id"] for row in with_test_key.get("/providers").json()["providers"]] == [str(channel.uuid)]
    assert problem(with_test_key.get(f"/providers/{live.uuid}")) == (404, "provider_not_found")
    assert with_test_key.post("/messages/send", text).status_code == 202
    assert {row["id"] for row in with_live_key.get("/providers").json()["providers"]} == {
        str(channel.uuid),
        str(live.uuid),
    }
