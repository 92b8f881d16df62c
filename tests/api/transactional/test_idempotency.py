"""Idempotency-Key: the same request twice, at once, changed, late, and after a refusal."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from django_tenants.utils import schema_context

from messaging.models import IdempotencyRecord, Message
from messaging.services.idempotency import idempotent_run
from otp.models import OneTimePassword
from tenants.errors import Conflict
from tests.api.transactional.caller import Caller, problem, wrong_fields

KEY = {"Idempotency-Key": "order-1"}


def _bodies(text):
    return {
        "/messages/send": text,
        "/messages/send-media": {**text, "mediaUrl": "https://example.com/a.jpg", "mediaType": "image"},
        "/messages/send-bulk": {**text, "messageTemplate": "x", "recipients": [{"to": text["to"]}]},
        "/otp/send": {**text, "phoneNumber": text["to"]},
    }


@pytest.mark.parametrize("path", ["/messages/send", "/messages/send-media", "/messages/send-bulk", "/otp/send"])
def test_the_second_request_gets_the_first_answer_and_has_no_effect(caller, text, path):
    body = _bodies(text)[path]
    first, second = caller.post(path, body, KEY), caller.post(path, body, KEY)
    assert (
        first.status_code
        == second.status_code
        == (202 if path.startswith("/messages/send") and "bulk" not in path else 200)
    )
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert Message.objects.count() == 1
    assert OneTimePassword.objects.count() == (path == "/otp/send")


def test_without_the_header_every_request_counts_and_nothing_is_kept(caller, text):
    for _ in range(2):
        assert caller.post("/messages/send", text).status_code == 202
    assert Message.objects.count() == 2
    assert not IdempotencyRecord.objects.exists()


def test_order_of_members_and_white_space_make_no_difference(caller, text):
    first = caller.post("/messages/send", text, KEY)
    shuffled = caller.post("/messages/send", dict(reversed(text.items())), KEY)
    spaced = caller.raw(
        "/messages/send", f'{{ "message":"Hello",\n"to":"{text["to"]}","providerId":"{text["providerId"]}"}}', KEY
    )
    assert first.json() == shuffled.json() == spaced.json()


def test_another_body_or_operation_under_the_same_key_is_422(caller, text):
    assert caller.post("/messages/send", text, KEY).status_code == 202
    assert problem(caller.post("/messages/send", text | {"message": "Other"}, KEY)) == (422, "idempotency_key_reused")
    media = _bodies(text)["/messages/send-media"]
    assert problem(caller.post("/messages/send-media", media, KEY)) == (422, "idempotency_key_reused")
    assert Message.objects.count() == 1


def test_keys_of_two_api_keys_are_apart(in_schema, caller, make_caller, text):
    assert caller.post("/messages/send", text, KEY).status_code == 202
    assert "Idempotent-Replayed" not in make_caller(in_schema).post("/messages/send", text, KEY)
    assert Message.objects.count() == 2


def test_a_refused_request_can_be_mended_under_its_key(caller, text):
    assert problem(caller.post("/messages/send", text | {"to": "12345678901234"}, KEY))[0] == 422
    assert caller.post("/messages/send", text, KEY).status_code == 202


def test_after_a_day_the_key_is_new_again(caller, text):
    first = caller.post("/messages/send", text, KEY).json()["messageId"]
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    second = caller.post("/messages/send", text | {"message": "Other"}, KEY)
    assert second.status_code == 202
    assert second.json()["messageId"] != first
    assert IdempotencyRecord.objects.count() == 1
    assert "Idempotent-Replayed" in caller.post("/messages/send", text | {"message": "Other"}, KEY)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_cannot_be_is_422(caller, text, key):
    response = caller.post("/messages/send", text, {"Idempotency-Key": key})
    assert problem(response) == (422, "idempotency_key_invalid")
    assert wrong_fields(response) == {"Idempotency-Key": "idempotency_key_invalid"}
    assert not Message.objects.exists()


def test_the_longest_key_and_odd_but_printable_ones_work(caller, text):
    for key in ("x" * 255, "a b", '"quoted"', "é"):
        first, second = (caller.post("/messages/send", text, {"Idempotency-Key": key}) for _ in range(2))
        assert first.json()["messageId"] == second.json()["messageId"]


def test_a_deeply_nested_unknown_field_does_not_break_it(caller, text):
    body = f'{{"providerId":"{text["providerId"]}","to":"{text["to"]}","message":"x","deep":{"[" * 900}{"]" * 900}}}'
    first, second = (caller.raw("/messages/send", body, KEY) for _ in range(2))
    assert (first.status_code, second["Idempotent-Replayed"]) == (202, "true")


def test_fifty_requests_at_once_with_one_key_make_one_message(committed, make_caller, make_channel):
    organization, _ = committed
    channel = make_channel(organization)
    key = make_caller(organization).key
    body = {"providerId": str(channel.uuid), "to": "22996123456", "message": "Once"}
    together = threading.Barrier(25)

    def send(number):
        if number < 25:
            together.wait()
        response = Caller(key).post("/messages/send", body, KEY)
        # A refused one repeats itself, as a client would: in the end each has the first answer.
        while problem_code(response) == "idempotency_in_progress":
            assert response["Retry-After"] == "1"
            time.sleep(0.01)
            response = Caller(key).post("/messages/send", body, KEY)
        connections.close_all()
        return response.status_code, response.json().get("messageId"), "Idempotent-Replayed" in response

    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(send, range(50)))
    assert {(status, message_id) for status, message_id, _ in answers} == {(202, answers[0][1])}
    assert sum(not replayed for _, _, replayed in answers) == 1
    with schema_context(organization.schema_name):
        assert [str(uuid) for uuid in Message.objects.values_list("uuid", flat=True)] == [answers[0][1]]


def problem_code(response):
    return response.json().get("code")


def test_while_the_first_runs_the_second_is_told_so_and_a_failed_first_leaves_nothing(committed):
    organization, _ = committed
    running, go_on = threading.Event(), threading.Event()
    outcomes = []

    def first():
        def effect():
            running.set()
            go_on.wait(10)
            raise RuntimeError("the first one breaks")

        with schema_context(organization.schema_name):
            try:
                idempotent_run(caller_id=1, key="k", request_hash="a" * 64, effect=effect)
            except RuntimeError as error:
                outcomes.append(str(error))
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert running.wait(10)
    with schema_context(organization.schema_name):
        with pytest.raises(Conflict) as caught:
            idempotent_run(caller_id=1, key="k", request_hash="a" * 64, effect=lambda: (200, {}))
        assert caught.value.code == "idempotency_in_progress"
        other_key = idempotent_run(caller_id=1, key="k2", request_hash="a" * 64, effect=lambda: (200, {"n": 1}))
        assert other_key.body == {"n": 1}
        go_on.set()
        thread.join(10)
        assert outcomes == ["the first one breaks"]
        answer = idempotent_run(caller_id=1, key="k", request_hash="a" * 64, effect=lambda: (200, {"n": 2}))
    assert (answer.body, answer.replayed) == ({"n": 2}, False)
    assert connection.schema_name == "public"
