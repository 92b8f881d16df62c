"""POST /messages/send-bulk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contacts.models import Contact, Suppression
from messaging.models import Message
from tests.api.transactional.caller import problem, wrong_fields


@pytest.fixture
def bulk(channel):
    return {
        "providerId": str(channel.uuid),
        "messageTemplate": "Hi {{name}}",
        "recipients": [{"to": "22996123456", "variables": {"name": "Awa"}}],
    }


def test_good_recipients_are_queued_in_order_and_bad_ones_listed(caller, bulk):
    Suppression.objects.create(address="22996000003", reason="blacklist", scope="all")
    name = {"variables": {"name": "x"}}
    recipients = [
        {"to": "22996000001", **name},
        {"to": "12", **name},
        {"to": "+229 96 00 00 02", **name},
        {"to": "22996000003", **name},
        {"to": "22996000004"},
        {"to": "22996000005", **name},
        {"to": "", **name},
    ]
    response = caller.post("/messages/send-bulk", bulk | {"recipients": recipients})
    assert response.status_code == 200
    answer = response.json()
    assert (answer["accepted"], answer["rejected"]) == (3, 4)
    assert [(item["index"], item["to"], item["code"]) for item in answer["rejections"]] == [
        (1, "12", "invalid_phone"),
        (3, "22996000003", "suppressed"),
        (4, "22996000004", "variable_missing"),
        (6, "", "invalid_phone"),
    ]
    assert all(item["reason"] for item in answer["rejections"])
    messages = {str(message.uuid): message for message in Message.objects.all()}
    assert [messages[uuid].address for uuid in answer["messageIds"]] == ["22996000001", "22996000002", "22996000005"]
    assert {message.bulk_uuid for message in messages.values()} == {UUID(answer["bulkId"])}


def test_all_rejected_is_an_answer_too(caller, bulk):
    answer = caller.post("/messages/send-bulk", bulk | {"recipients": [{"to": "1"}]}).json()
    assert (answer["accepted"], answer["rejected"], answer["messageIds"]) == (0, 1, [])
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"recipients": []}, {"recipients": "too_short"}),
        ({"recipients": {}}, {"recipients": "invalid_type"}),
        ({"recipients": ["22996123456"]}, {"recipients[0]": "invalid_type"}),
        ({"recipients": [{"to": "22996123456"}, {}, {"to": 5}]},
         {"recipients[1].to": "required", "recipients[2].to": "invalid_type"}),
        ({"recipients": [{"to": "22996123456", "variables": {"a": None}}]},
         {"recipients[0].variables.a": "invalid_type"}),
        ({"recipients": [{"to": "22996123456"}] * 10_001}, {"recipients": "too_long"}),
        ({"messageTemplate": ""}, {"messageTemplate": "too_short"}),
        ({"messageTemplate": "x" * 4097}, {"messageTemplate": "too_long"}),
        ({"scheduleAt": "2020-01-01T00:00:00Z"}, {"scheduleAt": "schedule_in_past"}),
    ],
)  # fmt: skip
def test_a_body_of_the_wrong_form_is_422_as_a_whole(caller, bulk, changed, wrong):
    assert wrong_fields(caller.post("/messages/send-bulk", bulk | changed)) == wrong
    assert not Message.objects.exists()


def test_of_thousands_of_wrong_entries_the_first_ones_are_named(caller, bulk):
    response = caller.post("/messages/send-bulk", bulk | {"recipients": [{"to": 1}] * 10_000})
    assert len(wrong_fields(response)) == 50


def test_ten_thousand_recipients_are_taken_with_a_handful_of_queries(caller, bulk, django_assert_max_num_queries):
    recipients = [{"to": f"229961{number:05}", "variables": {"name": str(number)}} for number in range(10_000)]
    caller.get("/providers")
    with django_assert_max_num_queries(10):
        answer = caller.post("/messages/send-bulk", bulk | {"recipients": recipients, "saveContact": False}).json()
    assert (answer["accepted"], answer["rejected"]) == (10_000, 0)
    assert Message.objects.count() == 10_000
    last = Message.objects.get(uuid=answer["messageIds"][-1])
    assert (last.address, last.content["text"]["body"]) == ("22996109999", "Hi 9999")


def test_a_scheduled_bulk_waits_and_saves_contacts_once(caller, bulk):
    at = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    body = bulk | {"scheduleAt": at.isoformat(), "saveContact": True, "recipients": bulk["recipients"] * 2}
    assert caller.post("/messages/send-bulk", body).json()["accepted"] == 2
    assert set(Message.objects.values_list("status", "due_at")) == {("scheduled", at)}
    assert Contact.objects.count() == 1


def test_a_body_over_the_limit_is_413(caller, bulk, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2000
    response = caller.post("/messages/send-bulk", bulk | {"unknown": "x" * 2000})
    assert problem(response) == (413, "body_too_large")
