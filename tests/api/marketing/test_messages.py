"""Sending, history, exports: what is odd, what is dangerous, what is repeated."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from openpyxl import load_workbook

from contacts.services.suppressions import blacklist_add
from messaging.models import Message
from tests.api.marketing.caller import Marketer, wrong_fields

pytestmark = pytest.mark.usefixtures("unlimited")
ONE = {"recipients": ["+24162000001"], "message": "Hello"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"recipients", "message"}),
        ({"recipients": [], "message": "x"}, {"recipients"}),
        ({"recipients": "+24162000001", "message": "x"}, {"recipients"}),
        ({"recipients": ["+24162000001"], "message": ""}, {"message"}),
        ({"recipients": ["+24162000001"], "message": "   "}, {"message"}),
        ({"recipients": ["+24162000001"], "message": "x" * 4097}, {"message"}),
        ({"recipients": ["+24162000001"], "message": "a\0b"}, {"message"}),
        ({"recipients": [5], "message": "x"}, {"recipients.0"}),
        ({"recipients": ["+24162000001"] * 10_001, "message": "x"}, {"recipients"}),
        ({"recipients": ["+24162000001"], "message": "Hi {pronom}"}, {"message"}),
        ({**ONE, "channel_id": 987654}, {"channel_id"}),
        ({**ONE, "channel_id": "one"}, {"channel_id"}),
    ],
)
def test_what_cannot_be_sent_names_the_field_and_sends_nothing(
    marketer: Marketer, channel: Any, body: Any, fields: set[str]
) -> None:
    assert wrong_fields(marketer.post("/messages/send", body)) == fields
    assert Message.objects.count() == 0


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'"x"'])
def test_a_body_that_is_no_object_is_refused(marketer: Marketer, body: bytes) -> None:
    assert marketer.post("/messages/send", body).status_code == 422


def test_without_a_channel_nothing_can_be_sent(marketer: Marketer) -> None:
    assert wrong_fields(marketer.post("/messages/send", ONE)) == {"channel_id"}


def test_who_gets_nothing_is_listed_with_the_reason_and_the_others_get_theirs(marketer: Marketer, channel: Any) -> None:
    blacklist_add(phone="+24162000002", country="GA")
    numbers = ["+24162000001", "00 241 62 00 00 01", "nonsense", "+24162000002", "+24177000002"]
    answer = marketer.post("/messages/send", {"recipients": numbers, "message": "Hello"})
    data = answer.json()["data"]
    assert (answer.status_code, data["total"], data["sent"], data["failed"]) == (200, 4, 2, 2)
    assert [(one["recipient"], one["code"]) for one in data["failures"]] == [
        ("nonsense", "invalid_phone"),
        ("+24162000002", "suppressed"),
    ]
    assert sorted(Message.objects.values_list("address", flat=True)) == ["24162000001", "24177000002"]
    assert list(Message.objects.order_by("id").values_list("id", flat=True)) == data["message_ids"]


def test_variables_are_filled_for_contacts_and_have_fallbacks_for_others(marketer: Marketer, channel: Any) -> None:
    marketer.post("/contacts", {"name": "Jean Dupont", "phone": "+24162000001", "custom_fields": {"company": "ABC"}})
    body = {"recipients": ["+24162000001", "+24162000003"], "message": "Hi {prenom|you} of {custom.company|nowhere}"}
    assert marketer.post("/messages/send", body).status_code == 200
    texts = [content["text"]["body"] for content in Message.objects.order_by("id").values_list("content", flat=True)]
    assert texts == ["Hi Jean of ABC", "Hi you of nowhere"]


def test_segments_are_counted(marketer: Marketer, channel: Any) -> None:
    counts = [
        marketer.post("/messages/send", {**ONE, "message": text}).json()["data"]["sms_count"]
        for text in ("a" * 160, "a" * 161, "é" * 160, "ê" * 71)
    ]
    assert counts == [1, 2, 1, 2]


def test_the_same_key_sends_once_and_another_body_is_refused(marketer: Marketer, channel: Any) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = marketer.post("/messages/send", ONE, key)
    second = marketer.post("/messages/send", ONE, key)
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert Message.objects.count() == 1
    other = marketer.post("/messages/send", {**ONE, "message": "Other"}, key)
    assert other.status_code == 422
    assert Message.objects.count() == 1


def test_a_key_is_its_callers_own(in_schema: Any, make_marketer: Any, channel: Any) -> None:
    key = {"Idempotency-Key": "k-1"}
    ids = [make_marketer(in_schema).post("/messages/send", ONE, key).json()["data"]["message_ids"] for _ in range(2)]
    assert ids[0] != ids[1]


def test_waiting_tells_what_became_of_the_messages(marketer: Marketer, channel: Any) -> None:
    answer = marketer.post("/messages/send", ONE, {"Prefer": "respond-async, wait=1"})
    assert answer["Preference-Applied"] == "wait=1"
    data = answer.json()["data"]
    # No worker runs here: after a second it is still open.
    assert (data["sent"], data["pending"], data["failed"]) == (0, 1, 0)
    Message.objects.update(status="failed", error_code="131026", error_reason="Not on WhatsApp")
    key = {"Idempotency-Key": "k", "Prefer": "wait=5"}
    marketer.post("/messages/send", {**ONE, "message": "b"}, {"Idempotency-Key": "k"})
    Message.objects.filter(status="queued").update(status="sent")
    again = marketer.post("/messages/send", {**ONE, "message": "b"}, key).json()["data"]
    assert (again["sent"], again["pending"]) == (1, 0)


def test_history_filters_by_state_time_number_and_campaign(marketer: Marketer, channel: Any) -> None:
    marketer.post("/messages/send", {"recipients": ["+24162000001", "+24162000002"], "message": "a"})
    old = Message.objects.order_by("id").first()
    Message.objects.filter(pk=old.pk).update(status="failed", error_code="x", error_reason="because")

    def found(**query: Any) -> list[str]:
        answer = marketer.get("/messages/history", **query)
        assert answer.status_code == 200, answer.content
        return [row["recipient"] for row in answer.json()["data"]]

    today = datetime.now(UTC).date()
    assert found(status="failed") == ["+24162000001"]
    assert found(status="pending") == ["+24162000002"]
    assert found(recipient="+24162000002") == ["+24162000002"]
    assert found(start_date=today, end_date=today) == ["+24162000002", "+24162000001"]
    assert found(start_date=today + timedelta(days=1)) == []
    assert found(end_date=today - timedelta(days=1)) == []
    assert found(campaign_id=5) == []
    assert found(page=2, per_page=1) == ["+24162000001"]
    meta = marketer.get("/messages/history", per_page=1).json()["meta"]
    assert meta == {"page": 1, "per_page": 1, "has_more": True}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "flying"}, "status"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"end_date": "2025-02-30"}, "end_date"),
        ({"page": "0"}, "page"),
        ({"per_page": "1001"}, "per_page"),
        ({"page": "1000000"}, "page"),
        ({"campaign_id": "x"}, "campaign_id"),
    ],
)
def test_a_filter_that_cannot_be_names_its_parameter(marketer: Marketer, query: Any, field: str) -> None:
    assert wrong_fields(marketer.get("/messages/history", **query)) == {field}


def test_exports_are_complete_and_harmless_in_spreadsheets(marketer: Marketer, channel: Any) -> None:
    marketer.post("/messages/send", {**ONE, "message": "=HYPERLINK(1)"})
    lines = b"".join(marketer.get("/messages/export", format="csv").streaming_content).decode("utf-8-sig")
    assert "'=HYPERLINK(1)" in lines and ",+24162000001," in lines
    book = load_workbook(io.BytesIO(b"".join(marketer.get("/messages/export", format="xlsx").streaming_content)))
    rows = list(book.worksheets[0].values)
    assert (rows[0][1], rows[1][1], rows[1][4]) == ("recipient", "+24162000001", "'=HYPERLINK(1)")
    data = json.loads(b"".join(marketer.get("/messages/export", format="json").streaming_content))["data"]
    assert [row["message"] for row in data] == ["=HYPERLINK(1)"]
    assert wrong_fields(marketer.get("/messages/export", format="pdf")) == {"format"}


def test_a_long_history_is_exported_in_batches(marketer: Marketer, channel: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("messaging.services.sent_history.BATCH", 3)
    monkeypatch.setattr("api.marketing.exports.BATCH", 2)
    numbers = [f"+2416200{index:04}" for index in range(10)]
    marketer.post("/messages/send", {"recipients": numbers, "message": "x"})
    data = json.loads(b"".join(marketer.get("/messages/export", format="json").streaming_content))["data"]
    assert [row["recipient"] for row in data] == numbers[::-1]


def test_one_time_passwords_are_never_shown(marketer: Marketer, channel: Any) -> None:
    marketer.post("/messages/send", {**ONE, "message": "Your code: 845193"})
    Message.objects.update(is_sensitive=True)
    assert marketer.get("/messages/history").json()["data"][0]["message"] == ""
    assert b"845193" not in b"".join(marketer.get("/messages/export", format="csv").streaming_content)


def test_a_page_of_messages_costs_a_fixed_number_of_queries(
    marketer: Marketer, channel: Any, django_assert_max_num_queries: Any
) -> None:
    numbers = [f"+2416200{index:04}" for index in range(50)]
    marketer.post("/messages/send", {"recipients": numbers, "message": "x"})
    with django_assert_max_num_queries(12):
        assert len(marketer.get("/messages/history").json()["data"]) == 50
    assert connection.schema_name == "t_demo"
