"""Meta's error codes: what the engine is told to do, and what people read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from messaging.drivers.base import Ambiguous, HttpResponse, Scope, SendError
from messaging.drivers.whatsapp_cloud.driver import WhatsAppCloudDriver
from messaging.drivers.whatsapp_cloud.errors import ERRORS, RULES
from tests.messaging.drivers import samples

DRIVER = WhatsAppCloudDriver()
RETRY = {1, 2, 4, 613, 80007, 130429, 131000, 131016, 131049, 131053, 131056, 131057, 132069, 133000, 133004}
PAUSE = {
    0, 3, 10, 33, 190, 200, 299, 368, 131005, 131031, 131037, 131042, 131045,
    133005, 133006, 133008, 133009, 133010, 133015, 133016,
}  # fmt: skip
NEVER = {
    100, 130403, 130472, 130497, 131008, 131009, 131021, 131026, 131030, 131047, 131048, 131050, 131051, 131052, 131055,
    131059, 131060, 131062, 131063, 131064, 132000, 132001, 132005, 132007, 132012, 132015, 132016, 132018, 132068,
    134011, 134100, 134101, 134102, 135000, 137000,
}  # fmt: skip


def _refusal(code: Any, *, status: int = 400, headers: dict[str, str] | None = None, **error: Any) -> Exception:
    body = json.dumps({"error": {"code": code, "message": "m"} | error}).encode()
    with pytest.raises((SendError, Ambiguous)) as raised:
        DRIVER.read_send(HttpResponse(status, body, headers or {}))
    return raised.value


def test_every_code_of_the_table_is_in_one_of_the_lists() -> None:
    assert {code for code, _ in RULES} | {200, 299} == RETRY | PAUSE | NEVER


@pytest.mark.parametrize("code", sorted(RETRY))
def test_what_may_be_tried_again_is_retryable_and_pauses_nothing(code: int) -> None:
    error = _refusal(code)
    assert isinstance(error, SendError)
    assert (error.retryable, error.pauses, error.code) == (True, False, str(code))


@pytest.mark.parametrize("code", sorted(PAUSE))
def test_what_somebody_must_mend_pauses_the_channel_and_keeps_the_message(code: int) -> None:
    error = _refusal(code)
    assert isinstance(error, SendError)
    assert (error.pauses, error.retryable, error.scope) == (True, True, Scope.CHANNEL)


@pytest.mark.parametrize("code", sorted(NEVER))
def test_what_cannot_work_is_never_tried_again(code: int) -> None:
    error = _refusal(code)
    assert isinstance(error, SendError)
    assert (error.retryable, error.pauses) == (False, False)


def test_the_outcome_of_an_unknown_code_is_not_known() -> None:
    for code in (999_999, None, "x", True):
        assert isinstance(_refusal(code), Ambiguous)


def test_the_code_decides_not_the_http_status_or_the_title() -> None:
    for status in (200, 400, 403, 500, 503):
        error = _refusal(131026, status=status, message="(#190) token")
        assert isinstance(error, SendError)
        assert (error.code, error.scope, error.pauses) == ("131026", Scope.CONTACT, False)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (130429, (Scope.CHANNEL, 1.0, None, "")),
        (131049, (Scope.CONTACT, 86_400.0, 2, "quality")),
        (131056, (Scope.CONTACT, None, None, "")),
        (1, (Scope.MESSAGE, None, 2, "")),
        (131053, (Scope.MESSAGE, None, 1, "")),
        (131048, (Scope.CHANNEL, None, None, "spam")),
        (131064, (Scope.CHANNEL, None, None, "spam")),
        (132015, (Scope.MESSAGE, None, None, "template_pause")),
        (132016, (Scope.MESSAGE, None, None, "template_pause")),
    ],
)
def test_waits_limits_and_risks(code: int, expected: tuple[Any, ...]) -> None:
    error = _refusal(code)
    assert isinstance(error, SendError)
    assert (error.scope, error.retry_after, error.max_retries, error.counts_as) == expected


def test_only_131050_is_an_opt_out() -> None:
    codes = {code for code in RETRY | PAUSE | NEVER if getattr(_refusal(code), "opt_out", False)}
    assert codes == {131050}


def test_the_usage_header_says_how_long_calls_must_wait() -> None:
    usage = {"980": [{"call_count": 100, "estimated_time_to_regain_access": 3}, {"estimated_time_to_regain_access": 7}]}
    error = _refusal(80007, headers={"x-business-use-case-usage": json.dumps(usage)})
    assert isinstance(error, SendError)
    assert error.retry_after == 420.0
    for odd in ("", "{", "[]", '{"980": [3]}', '{"980": [{"estimated_time_to_regain_access": "soon"}]}'):
        error = _refusal(80007, headers={"x-business-use-case-usage": odd})
        assert isinstance(error, SendError)
        assert error.retry_after is None


@pytest.mark.parametrize(
    ("error", "details"),
    [
        ({"error_data": {"details": "Row title is too long"}}, "Row title is too long"),
        ({"error_data": "a plain text"}, "a plain text"),
        ({"error_user_msg": "for users"}, "for users"),
        ({"error_data": None}, "m"),
    ],
)
def test_metas_details_are_told_where_they_name_the_mistake(error: dict[str, Any], details: str) -> None:
    refused = _refusal(131009, **error)
    assert isinstance(refused, SendError)
    assert refused.reason == f"A value of the message is not valid. Meta says: {details}"


def test_a_long_reason_fits_its_column() -> None:
    refused = _refusal(100, error_data={"details": "x" * 2000})
    assert isinstance(refused, SendError)
    assert len(refused.reason) <= 480


def test_a_subcode_with_its_own_meaning_is_named() -> None:
    expired = _refusal(190, error_subcode=463)
    unknown_object = _refusal(100, error_subcode=33)
    other = _refusal(100, error_subcode=2388024)
    assert isinstance(expired, SendError) and isinstance(unknown_object, SendError) and isinstance(other, SendError)
    assert (expired.code, expired.reason) == ("190/463", "The access token has expired. Enter a new one.")
    assert (unknown_object.code, unknown_object.pauses) == ("100/33", True)
    assert (other.code, other.pauses) == ("100", False)


@pytest.mark.parametrize(("status", "pauses"), [(404, True), (401, True), (413, True), (429, False)])
def test_a_4xx_that_is_not_from_the_api_accepted_nothing(status: int, pauses: bool) -> None:
    with pytest.raises(SendError) as refused:
        DRIVER.read_send(HttpResponse(status, b"<html>", {"retry-after": "9"}))
    assert (refused.value.code, refused.value.pauses, refused.value.retryable) == (f"http_{status}", pauses, True)
    if status == 429:
        assert refused.value.retry_after == 9.0


@samples.needed
@pytest.mark.parametrize("name", samples.names("wa_error"))
def test_every_documented_error_is_understood(name: str) -> None:
    with pytest.raises(SendError) as refused:
        DRIVER.read_send(HttpResponse(400, samples.raw("wa_error", name)))
    code = samples.load("wa_error", name)["error"]["code"]
    assert refused.value.code.split("/")[0] == str(code)
    assert refused.value.retryable == (code in RETRY | PAUSE or refused.value.code == "100/33")


@pytest.mark.parametrize(
    ("errors", "code", "reason"),
    [
        (None, "unknown", "WhatsApp did not deliver the message and gave no reason."),
        ([], "unknown", "WhatsApp did not deliver the message and gave no reason."),
        (["x"], "unknown", "WhatsApp did not deliver the message and gave no reason."),
        ([{"code": 999999, "title": "New thing"}], "999999", "WhatsApp did not deliver the message: New thing"),
        ([{"code": "131026"}], "131026", RULES[131026, None].reason),
    ],
)
def test_a_failed_status_always_has_a_reason(errors: Any, code: str, reason: str) -> None:
    error = ERRORS.in_webhook(errors)
    assert (error.code, error.reason) == (code, reason)
