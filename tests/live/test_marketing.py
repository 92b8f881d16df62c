"""The marketing API as a marketer's program meets it: every process real, over HTTP only."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.live.test_whole_platform import eventually, inbox
from tests.webhooks_app.receiver import Receiver

# A minute must pass for the missed occurrence, and the platform has to start.
pytestmark = pytest.mark.timeout(400)


class Program:
    """Calls below /api with a token of its own."""

    def __init__(self, stack: Any, email: str, password: str) -> None:
        self.root = f"{stack.base_url}/api"
        answer = requests.post(f"{self.root}/auth/login", json={"email": email, "password": password}, timeout=30)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["data"]["token"]

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        own = {"Authorization": f"Bearer {self.token}"} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        return requests.request(method, self.root + path, json=body, headers=own, timeout=60)

    def data(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self(method, path, body, **headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["data"]


@pytest.fixture
def program(live_stack: Any) -> Program:
    return Program(live_stack, **live_stack.demo["marketing"])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


def test_all_twelve_events_arrive_signed_and_as_documented(program: Program, receiver: Receiver) -> None:
    labels = program.data("GET", "/webhooks/events")
    assert len(labels) == 12
    hook = {"name": "All", "url": receiver.url(), "events": list(labels), "secret": "optional_custom_secret"}
    number = program.data("POST", "/webhooks", hook)["id"]
    # An occurrence that comes while its campaign is paused is missed: the first to begin, because a minute must pass.
    soon = datetime.now(UTC) + timedelta(minutes=1)
    planned = {"frequency": "once", "time": f"{soon:%H:%M}", "start_date": f"{soon:%Y-%m-%d}", "timezone": "UTC"}
    missed = program.data("POST", "/campaigns", {"name": "Missed", "message_content": "x"})["id"]
    assert program.data("POST", f"/campaigns/{missed}/schedule", planned)["is_active"] is True
    program.data("POST", f"/campaigns/{missed}/pause")
    contact = program.data("POST", "/contacts", {"name": "Ada", "phone": "+12025550181"})["id"]
    program.data("PUT", f"/contacts/{contact}", {"name": "Ada Two"})
    assert program("DELETE", f"/contacts/{contact}").status_code == 204
    program.data("POST", "/blacklist", {"phone_number": "+12025550182", "reason": "asked"})
    email = f"sub-{uuid4().hex[:8]}@people.test"
    given = {"name": "Sub", "email": email, "password": "secure123", "role": "sender"}
    sub = program.data("POST", "/sub-accounts", given)["id"]
    program.data("POST", f"/sub-accounts/{sub}/suspend")
    body = {"recipients": ["+12025550183", "+12025550199"], "message": "Hello"}
    sent = program.data("POST", "/messages/send", body, Prefer="wait=20")
    # The network's refusal of the second one may come before or after the answer.
    assert (sent["total"], sent["sent"] + sent["failed"], sent["pending"]) == (2, 2, 0)
    campaign = program.data("POST", "/campaigns", {"name": "Sent", "message_content": "Hi {nom|you}"})["id"]
    program.data("POST", f"/campaigns/{campaign}/send", {"recipients": ["+12025550184"]})
    names = {request.headers["x-webhook-event"] for request in receiver.requests}
    names = eventually(
        lambda: (found := {one.headers["x-webhook-event"] for one in receiver.requests}) >= set(labels) and found,
        seconds=120,
    )
    assert names == set(labels)
    for request in receiver.requests:
        signature = hmac.new(b"optional_custom_secret", request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-webhook-signature"] == signature
        document = request.json
        assert (set(document), document["event"]) == (
            {"event", "timestamp", "data"},
            request.headers["x-webhook-event"],
        )
    by_name = {one.json["event"]: one.json["data"] for one in receiver.requests}
    assert by_name["contact.updated"]["id"] == contact
    assert by_name["contact.updated"]["name"] == "Ada Two"
    assert (by_name["sub_account.created"]["id"], by_name["sub_account.created"]["email"]) == (sub, email)
    assert by_name["sub_account.suspended"]["status"] == "suspended"
    assert by_name["blacklist.added"]["phone_number"] == "+12025550182"
    assert by_name["message.failed"]["recipient"] == "+12025550199"
    assert (by_name["campaign.completed"]["id"], by_name["campaign.failed"]["id"]) == (campaign, missed)
    logs = eventually(lambda: program.data("GET", f"/webhooks/{number}/logs?event=campaign.completed&success=true"))
    assert logs[0]["payload"]["event"] == "campaign.completed"
    stats = program.data("GET", f"/webhooks/{number}/stats")
    assert stats["successful"] >= 12 and stats["failed"] == 0
    assert program("DELETE", f"/webhooks/{number}").status_code == 204


def test_fifty_parallel_sends_with_one_key_send_once(program: Program, live_stack: Any) -> None:
    body = {"recipients": ["+12025550185"], "message": f"once {uuid4().hex}"}
    key = uuid4().hex

    def send(_: int) -> tuple[int, Any]:
        answer = program("POST", "/messages/send", body, Idempotency_Key=key)
        return answer.status_code, answer.json().get("data", {}).get("message_ids")

    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(send, range(50)))
    done = {str(ids) for status, ids in answers if status == 200}
    assert len(done) == 1
    assert {status for status, _ids in answers} <= {200, 409, 429}
    eventually(lambda: [one for one in inbox(live_stack, "12025550185") if one["body"] == body["message"]])
    assert len([one for one in inbox(live_stack, "12025550185") if one["body"] == body["message"]]) == 1


def test_a_suspended_sub_account_is_out_at_once_in_every_process(program: Program, live_stack: Any) -> None:
    email = f"sub-{uuid4().hex[:8]}@people.test"
    given = {"name": "Sub", "email": email, "password": "secure123", "role": "manager"}
    number = program.data("POST", "/sub-accounts", given)["id"]
    sub = Program(live_stack, email, "secure123")
    assert {sub("GET", "/contacts").status_code for _ in range(10)} == {200}
    program.data("POST", f"/sub-accounts/{number}/suspend")
    assert {sub("GET", "/contacts").status_code for _ in range(20)} == {401}
    program.data("POST", f"/sub-accounts/{number}/activate")
    assert sub("GET", "/contacts").status_code == 200


def test_a_message_reaches_the_phone_with_the_persons_name(program: Program, live_stack: Any) -> None:
    program("POST", "/contacts", {"name": "Grace Sample", "phone": "+12025550186"})
    sent = program.data(
        "POST",
        "/messages/send",
        {"recipients": ["+12025550186"], "message": "Bonjour {prenom|client}"},
        Prefer="wait=20",
    )
    assert (sent["sent"], sent["pending"]) == (1, 0)
    bodies = eventually(lambda: [one["body"] for one in inbox(live_stack, "12025550186")])
    assert "Bonjour Grace" in bodies
    history = program.data("GET", "/messages/history?recipient=%2B12025550186")
    assert [row["message"] for row in history] == ["Bonjour Grace"]
