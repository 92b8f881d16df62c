"""The platform as a new user meets it: every process real, over HTTP only."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests


def api(stack: Any, method: str, path: str, *, key: str | None = None, **options: Any) -> requests.Response:
    """Call the transactional API of the live platform with the demo key."""
    headers = {"X-API-Key": key or stack.demo["transactional"]["api_key"], **options.pop("headers", {})}
    return requests.request(method, f"{stack.base_url}/api/v1{path}", headers=headers, timeout=30, **options)


def eventually(check: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true answer of `check`."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def send(stack: Any, to: str, **fields: Any) -> dict[str, Any]:
    body = {"providerId": stack.demo["transactional"]["provider_id"], "to": to, "message": "Hello"} | fields
    answer = api(stack, "POST", "/messages/send", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def status_of(stack: Any, message_id: str) -> dict[str, Any]:
    answer = api(stack, "GET", f"/messages/{message_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def inbox(stack: Any, phone: str) -> list[dict[str, Any]]:
    return requests.get(f"{stack.sandbox_url}/inbox/{phone}", timeout=10).json()["messages"]


def test_a_message_reaches_the_phone_and_its_status_comes_back(live_stack):
    accepted = send(live_stack, "22961111101", message="Hello {{name}}", variables={"name": "Ada"})
    assert accepted["status"] == "queued"
    final = eventually(
        lambda: (found := status_of(live_stack, accepted["messageId"]))["status"] == "delivered" and found
    )
    assert final["sentAt"] <= final["deliveredAt"]
    assert final["failedAt"] is None
    assert [message["body"] for message in inbox(live_stack, "22961111101")] == ["Hello Ada"]


def test_a_number_that_fails_for_good_says_why(live_stack):
    accepted = send(live_stack, "22961111199")
    failed = eventually(lambda: (found := status_of(live_stack, accepted["messageId"]))["status"] == "failed" and found)
    assert failed["failureCode"] == "131026"
    assert failed["failureReason"]


def test_a_lost_answer_is_resolved_by_the_status_and_sent_once(live_stack):
    accepted = send(live_stack, "22961111196")
    eventually(lambda: status_of(live_stack, accepted["messageId"])["status"] == "delivered")
    assert len(inbox(live_stack, "22961111196")) == 1


def test_a_throttled_message_arrives_later_and_once(live_stack):
    accepted = send(live_stack, "22961111198")
    eventually(lambda: status_of(live_stack, accepted["messageId"])["status"] == "delivered", 30)
    assert len(inbox(live_stack, "22961111198")) == 1


def test_fifty_parallel_sends_with_one_key_are_one_message(live_stack):
    body = {"providerId": live_stack.demo["transactional"]["provider_id"], "to": "22961111102", "message": "Once"}

    def call(_: int) -> requests.Response:
        return api(live_stack, "POST", "/messages/send", json=body, headers={"Idempotency-Key": "order-1234"})

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(call, range(50)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["messageId"] for answer in answers if answer.status_code == 202}) == 1
    assert call(0).status_code == 202
    other = api(
        live_stack,
        "POST",
        "/messages/send",
        json=body | {"message": "Other"},
        headers={"Idempotency-Key": "order-1234"},
    )
    assert other.status_code == 422
    eventually(lambda: len(inbox(live_stack, "22961111102")) == 1)
    time.sleep(1)
    assert len(inbox(live_stack, "22961111102")) == 1


def test_a_code_arrives_and_can_be_used_once(live_stack):
    provider = live_stack.demo["transactional"]["provider_id"]
    sent = api(live_stack, "POST", "/otp/send", json={"providerId": provider, "phoneNumber": "22961111103"})
    assert sent.status_code == 200, sent.text
    [message] = eventually(lambda: inbox(live_stack, "22961111103"))
    code = "".join(character for character in message["body"] if character.isdigit())
    assert len(code) == 6
    otp_id = sent.json()["otpId"]
    assert api(live_stack, "POST", "/otp/verify", json={"otpId": otp_id, "code": code}).json()["valid"] is True
    again = api(live_stack, "POST", "/otp/verify", json={"otpId": otp_id, "code": code}).json()
    assert again["valid"] is False


def test_two_hundred_parallel_guesses_evaluate_no_more_than_the_cap(live_stack):
    provider = live_stack.demo["transactional"]["provider_id"]
    sent = api(live_stack, "POST", "/otp/send", json={"providerId": provider, "phoneNumber": "22961111104"}).json()
    [message] = eventually(lambda: inbox(live_stack, "22961111104"))
    right = "".join(character for character in message["body"] if character.isdigit())
    wrong = [f"{(int(right) + step) % 1_000_000:06d}" for step in range(1, 200)]

    def guess(code: str) -> dict[str, Any]:
        return api(live_stack, "POST", "/otp/verify", json={"otpId": sent["otpId"], "code": code}).json()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(guess, [*wrong[:150], right, *wrong[150:]]))
    evaluated = [answer for answer in answers if answer["valid"] or answer.get("reason") == "wrong_code"]
    assert len(evaluated) <= 5
    assert sum(answer["valid"] for answer in answers) <= 1


def test_an_answer_from_the_phone_is_stored_for_its_organization_only(live_stack):
    import psycopg

    accepted = send(live_stack, "22961111105")
    eventually(lambda: inbox(live_stack, "22961111105"))
    reply = requests.post(
        f"{live_stack.sandbox_url}/_control/phones/22961111105/reply", json={"text": "Thank you"}, timeout=10
    )
    assert reply.status_code == 200, reply.text

    def stored() -> list[str]:
        found = []
        with psycopg.connect(live_stack.env["DATABASE_URL"]) as connection:
            schemas = connection.execute(
                "SELECT schema_name FROM tenants_organization WHERE NOT is_template"
            ).fetchall()
            for (schema,) in schemas:
                if schema == "public":
                    continue
                rows = connection.execute(
                    f'SELECT content FROM "{schema}".messaging_message'
                    " WHERE direction = 'in' AND address = '22961111105'"
                ).fetchall()
                found += [schema for (content,) in rows if content["text"]["body"] == "Thank you"]
        return found

    assert len(eventually(stored)) == 1
    assert api(live_stack, "GET", f"/messages/{accepted['messageId']}").status_code == 200


def test_another_organizations_message_and_channel_do_not_exist(live_stack):
    accepted = send(live_stack, "22961111106")
    foreign = live_stack.demo["second_organization"]["transactional_api_key"]
    assert api(live_stack, "GET", f"/messages/{accepted['messageId']}", key=foreign).status_code == 404
    provider = live_stack.demo["transactional"]["provider_id"]
    assert api(live_stack, "GET", f"/providers/{provider}", key=foreign).status_code == 404
    body = {"providerId": provider, "to": "22961111106", "message": "x"}
    assert api(live_stack, "POST", "/messages/send", json=body, key=foreign).status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs/", "/docs/transactional/openapi.json"])
def test_public_addresses_answer(live_stack, path):
    assert requests.get(f"{live_stack.base_url}{path}", timeout=30).status_code == 200
