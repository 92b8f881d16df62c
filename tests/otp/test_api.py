"""One-time passwords over the transactional API."""

from __future__ import annotations

import pytest

from messaging.models import Message
from otp.models import OneTimePassword, OtpPolicy
from tenants.services.keys import SCOPES, api_key_create
from tests.api.transactional.caller import Caller, problem, wrong_fields


@pytest.fixture
def caller(in_schema):
    return Caller(api_key_create(organization=in_schema, name="k", mode="live", scopes=SCOPES["transactional"])[1])


@pytest.fixture
def order(channel):
    return {"providerId": str(channel.uuid), "phoneNumber": "22996123456"}


def code() -> str:
    return Message.objects.latest("id").content["text"]["body"].rpartition(" ")[2]


def test_a_code_is_sent_and_verified(caller, order):
    sent = caller.post("/otp/send", order | {"brandName": " My App ", "codeLength": 8, "expiresIn": 60})
    assert sent.status_code == 200
    answer = sent.json()
    assert set(answer) == {"otpId", "messageId", "expiresAt"}
    assert Message.objects.get().content["text"]["body"] == f"Your My App verification code: {code()}"
    assert len(code()) == 8
    assert code() not in sent.content.decode()
    wrong = caller.post("/otp/verify", {"otpId": answer["otpId"], "code": "x"})
    assert (wrong.status_code, wrong.json()) == (200, {"valid": False, "reason": "wrong_code", "attemptsLeft": 4})
    right = caller.post("/otp/verify", {"otpId": answer["otpId"], "code": f" {code()} "})
    assert (right.status_code, right.json()) == (200, {"valid": True})
    again = caller.post("/otp/verify", {"otpId": answer["otpId"], "code": code()})
    assert again.json() == {"valid": False, "reason": "already_used", "attemptsLeft": 0}


def test_the_status_of_the_message_shows_the_number_but_never_the_code(caller, order):
    message_id = caller.post("/otp/send", order).json()["messageId"]
    response = caller.get(f"/messages/{message_id}")
    assert response.json()["to"] == "22996123456"
    assert code() not in response.content.decode()


def test_a_limit_is_429_with_its_name_and_the_time_to_wait(caller, order):
    assert caller.post("/otp/send", order).status_code == 200
    response = caller.post("/otp/send", order)
    assert problem(response) == (429, "otp_rate_limited")
    assert response.json()["limit"] == "resend"
    assert response.json()["errors"][0]["field"] == "phoneNumber"
    assert 28 <= int(response["Retry-After"]) <= 30


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"codeLength": 3}, {"codeLength": "out_of_range"}),
        ({"codeLength": 11}, {"codeLength": "out_of_range"}),
        ({"codeLength": 4.5}, {"codeLength": "invalid_type"}),
        ({"codeLength": "6"}, {"codeLength": "invalid_type"}),
        ({"codeLength": True}, {"codeLength": "invalid_type"}),
        ({"expiresIn": 29}, {"expiresIn": "out_of_range"}),
        ({"expiresIn": 3601}, {"expiresIn": "out_of_range"}),
        ({"expiresIn": 10**30}, {"expiresIn": "out_of_range"}),
        ({"brandName": "x" * 65}, {"brandName": "too_long"}),
        ({"brandName": ""}, {"brandName": "too_short"}),
        ({"template": "no place"}, {"template": "template_invalid"}),
        ({"template": "{{code}} {{name}}"}, {"template": "template_invalid"}),
        ({"template": ""}, {"template": "too_short"}),
        ({"phoneNumber": "12"}, {"phoneNumber": "too_short"}),
        ({"phoneNumber": "abcdefgh"}, {"phoneNumber": "invalid_phone"}),
    ],
)
def test_what_is_wrong_is_422_and_named(caller, order, changed, wrong):
    assert wrong_fields(caller.post("/otp/send", order | changed)) == wrong
    assert not OneTimePassword.objects.exists()


def test_the_bounds_themselves_are_possible(caller, order):
    OtpPolicy.objects.update(resend_after_seconds=0)
    for length, seconds in ((4, 30), (10, 3600), (6.0, 300.0)):
        assert caller.post("/otp/send", order | {"codeLength": length, "expiresIn": seconds}).status_code == 200
        assert len(code()) == length


def test_foreign_and_unknown_passwords_are_404(caller, order, other_organization, make_channel):
    theirs = Caller(
        api_key_create(organization=other_organization, name="k", mode="live", scopes=SCOPES["transactional"])[1]
    )
    channel = make_channel(other_organization)
    sent = theirs.post("/otp/send", order | {"providerId": str(channel.uuid)}).json()
    for otp_id in (sent["otpId"], sent["messageId"], "a3f1b2c4-1234-4abc-9def-000011112222"):
        assert problem(caller.post("/otp/verify", {"otpId": otp_id, "code": "123456"})) == (404, "otp_not_found")
    assert wrong_fields(caller.post("/otp/verify", {"otpId": "x", "code": 1})) == {
        "otpId": "invalid_format",
        "code": "invalid_type",
    }
