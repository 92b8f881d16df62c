"""The SMS gateway: sending, reports, answers of phones, faults."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox.conftest import Graph
from tests.sandbox.receiver import Receiver, eventually

SENDER, PHONE = "512000000000000001", "24106000011"


@pytest.fixture
def callback(receiver: Receiver) -> str:
    return receiver.url.replace("/webhook/meta", "/webhook/callback/1/token/report")


def send(graph: Graph, callback: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
    full = {"to": f"+{PHONE}", "from": "DEMO", "text": "Bonjour", "reference": "ref-1", "callback_url": callback} | body
    request = graph.client.post(f"{graph.url}/sms/{SENDER}/messages").body_json(full)
    response = request.header("authorization", "Bearer sandbox-sms").build().send()
    return response.status, response.json()


def told(receiver: Receiver, about: str) -> list[dict[str, Any]]:
    name = {"report": "reports", "message": "messages"}[about]
    return [item for path, body in list(receiver.bodies) if path.endswith(about) for item in json.loads(body)[name]]


def test_an_sms_is_in_the_inbox_and_reported_sent_then_delivered(
    sandbox: Any, graph: Graph, receiver: Receiver, callback: str
) -> None:
    status, answer = send(graph, callback)
    assert (status, answer["status"]) == (202, "accepted")
    eventually(lambda: len(told(receiver, "report")) == 2)
    first, second = told(receiver, "report")
    assert [first["status"], second["status"]] == ["sent", "delivered"]
    assert {first["reference"], second["reference"]} == {"ref-1"}
    assert {first["message_id"], second["message_id"]} == {answer["message_id"]}
    (shown,) = sandbox.inbox(PHONE)
    assert (shown["to"], shown["body"], shown["from"], shown["status"]) == (f"+{PHONE}", "Bonjour", "DEMO", "delivered")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": ""}, "invalid_request"),
        ({"text": 5}, "invalid_request"),
        ({"text": "x" * 2001}, "invalid_request"),
        ({"to": "077"}, "invalid_number"),
        ({"to": None}, "invalid_number"),
    ],
)
def test_bad_requests_are_refused_with_a_word(sandbox: Any, graph: Graph, body: dict[str, Any], code: str) -> None:
    status, answer = send(graph, **body)
    assert (status, answer["error"]["code"]) == (400, code)
    assert sandbox.inbox(PHONE) == []


def test_magic_numbers(sandbox: Any, graph: Graph, receiver: Receiver, callback: str) -> None:
    assert send(graph, callback, to="+24106000099", reference="a")[0] == 202
    assert [send(graph, to="+24106000098", reference="b")[0] for _ in range(2)] == [429, 202]
    eventually(lambda: [report for report in told(receiver, "report") if report["reference"] == "a"])
    (report,) = [report for report in told(receiver, "report") if report["reference"] == "a"]
    assert (report["status"], report["error"]) == ("failed", "invalid_number")
    with pytest.raises(Exception, match="closed|broken|connection|body|error"):
        send(graph, to="+24106000096")
    assert len(sandbox.inbox("24106000096")) == 1
    assert sandbox.inbox("24106000099") == []


@pytest.mark.parametrize(
    ("switches", "status"),
    [
        ({"sync_error": {"code": 402}}, 402),
        ({"server_error": {"code": 503}}, 503),
        ({"throughput_per_second": 1}, 429),
        ({"failures": "sync"}, 404),
    ],
)
def test_switches_make_it_misbehave(sandbox: Any, graph: Graph, switches: dict[str, Any], status: int) -> None:
    sandbox.control("PUT", "switches", switches)
    graph_answers = []
    for number in ("24106000099", "24106000199"):
        request = graph.client.post(f"{graph.url}/sms/{SENDER}/messages")
        graph_answers.append(request.body_json({"to": number, "text": "x"}).build().send().status)
    assert graph_answers[-1] == status


def test_reports_can_be_doubled(sandbox: Any, graph: Graph, receiver: Receiver, callback: str) -> None:
    sandbox.control("PUT", "switches", {"status_duplicate": 1.0})
    send(graph, callback)
    eventually(lambda: len(told(receiver, "report")) == 4)
    assert sorted(report["status"] for report in told(receiver, "report")) == ["delivered"] * 2 + ["sent"] * 2


def test_a_person_answers_and_only_with_text(sandbox: Any, graph: Graph, receiver: Receiver, callback: str) -> None:
    send(graph, callback)
    sandbox.control("POST", f"phones/{PHONE}/reply", {"phone_number_id": SENDER, "text": "STOP"})
    eventually(lambda: told(receiver, "message"))
    (message,) = told(receiver, "message")
    assert (message["from"], message["to"], message["text"]) == (f"+{PHONE}", "DEMO", "STOP")
    with pytest.raises(Exception, match="nothing but text"):
        sandbox.control(
            "POST", f"phones/{PHONE}/reply", {"phone_number_id": SENDER, "location": {"latitude": 1, "longitude": 1}}
        )


def test_a_sender_can_be_introduced_and_is_in_the_list(sandbox: Any) -> None:
    sandbox.control("POST", "senders", {"sender_id": SENDER, "from": "DEMO"})
    rows = sandbox.control("GET", "numbers")["numbers"]
    assert [(row["phone_number_id"], row["verified_name"]) for row in rows][-1:] == [(SENDER, "DEMO")]
