"""Whatever is sent, the answer is a problem document with a 4xx: broken JSON, odd types, other methods, other paths."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError

from messaging.models import Message
from tests.api.transactional.caller import Caller, problem

POSTS = ["/messages/send", "/messages/send-media", "/messages/send-bulk", "/otp/send", "/otp/verify"]
BROKEN = [
    b"",
    b"{",
    b'{"to": }',
    b"nan",
    b'{"to": NaN}',
    b'{"to": 1e999}',
    b"\xff\xfe",
    b'{"to": "\xc3"}',
    b'{"to": "\\ud800"}',
    b'{"to": "\\udc00x"}',
    b"[" * 100_000,
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
    b"{'to': 1}",
    b'{"to": "a"}}',
]


@pytest.mark.parametrize("path", POSTS)
def test_broken_json_is_400(caller, path):
    for body in BROKEN:
        assert problem(caller.raw(path, body)) == (400, "invalid_json"), body[:20]


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_is_not_an_object_is_422(caller, path):
    for body in ("[]", "null", "1", '"x"', "true", "12345678901234567890123456789012345678901234567890"):
        assert problem(caller.raw(path, body)) == (422, "validation_failed")


@pytest.mark.parametrize("path", POSTS)
def test_every_field_with_every_odd_value_is_422(caller, channel, path):
    names = [
        "providerId",
        "to",
        "message",
        "variables",
        "scheduleAt",
        "saveContact",
        "mediaUrl",
        "mediaType",
        "caption",
        "messageTemplate",
        "recipients",
        "phoneNumber",
        "codeLength",
        "expiresIn",
        "brandName",
        "template",
        "otpId",
        "code",
    ]
    odd = [None, True, 0, -1, 2**63, 10**40, 1.5, 1e308, "", "\x00", "x" * 100_000, [], [[]], {}, {"": ""}, {"a": {}}]
    for value in odd:
        response = caller.post(path, dict.fromkeys(names, value))
        assert response.status_code == 422, (value, response.content)
        assert response.json()["errors"]
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain", 415),
        ("application/xml", 415),
        ("application/json; charset=utf-8", 202),
        ("Application/JSON", 202),
        ("application/vnd.api+json", 202),
    ],
)
def test_bodies_are_json_or_415(caller, text, content_type, expected):
    response = caller.raw("/messages/send", json.dumps(text), content_type=content_type)
    assert response.status_code == expected
    if expected == 415:
        assert problem(response) == (415, "media_type_unsupported")


@pytest.mark.parametrize("path", [*POSTS, "/providers", "/providers/x", "/messages/x"])
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "trace", "head"])
def test_other_methods_are_405_and_name_the_right_one(caller, path, method):
    allowed = {"post"} if path in POSTS else {"get", "head"}
    response = getattr(caller.client, method)(f"/api/v1{path}", headers=caller.headers(None))
    if method in allowed:
        assert response.status_code != 405
        return
    assert response.status_code == 405
    assert {name.strip().lower() for name in response["Allow"].split(",")} == allowed
    if method != "head":
        assert problem(response) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/providers/", "/messages", "/messages/a/b", "/otp", "/%00", "/é"]
)
def test_other_addresses_are_404_without_a_key_too(organization, path):
    for caller in (Caller(None), Caller("nonsense")):
        assert problem(caller.get("/nope" if path == "" else path)) == (404, "not_found")


def test_a_request_id_is_taken_over_and_returned(caller):
    assert caller.get("/providers", {"X-Request-Id": "trace-12345678"})["X-Request-Id"] == "trace-12345678"
    response = caller.get("/messages/x", {"X-Request-Id": "trace-12345678"})
    assert response.json()["request_id"] == "trace-12345678"


def test_our_own_failure_is_a_problem_too_and_is_reported(caller, text, monkeypatch):
    def broken(**options):
        raise ZeroDivisionError

    monkeypatch.setattr("api.transactional.views.messages.messages_accept", broken)
    caller.client.raise_request_exception = False
    response = caller.post("/messages/send", text)
    assert problem(response) == (500, "internal_error")
    assert "ZeroDivision" not in response.content.decode()
    caller.client.raise_request_exception = True
    with pytest.raises(ZeroDivisionError):
        caller.post("/messages/send", text)


def test_a_database_that_is_away_is_503_with_a_time_to_come_back(caller, text, monkeypatch):
    def away(**options):
        raise OperationalError("connection refused to db.internal")

    monkeypatch.setattr("api.transactional.views.messages.messages_accept", away)
    caller.client.raise_request_exception = False
    response = caller.post("/messages/send", text)
    assert problem(response) == (503, "temporarily_unavailable")
    assert response["Retry-After"] == "2"
    assert b"db.internal" not in response.content
