"""Magic recipients, injected faults, and the ledger that counts what really was accepted."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from pyreqwest.exceptions import PyreqwestError

from sandbox.testing import SandboxError, SandboxProcess
from tests.sandbox.conftest import NUMBER, PHONE, Graph
from tests.sandbox.receiver import Receiver, eventually

Switch = Callable[..., Any]


def test_99_is_accepted_fails_later_and_never_reaches_the_phone(graph: Graph, receiver: Receiver, sandbox: Any) -> None:
    wamid = graph.accepted(to="+15550140099")
    assert eventually(lambda: [item["status"] for item in receiver.statuses(wamid)]) == ["failed"]
    assert sandbox.inbox("+15550140099") == []


def test_99_is_refused_at_once_when_failures_are_synchronous(graph: Graph, switch: Switch, sandbox: Any) -> None:
    switch(failures="sync")
    status, answer = graph.send(to="+15550140099")
    assert (status, answer["error"]["code"]) == (400, 131026)
    assert sandbox.control("GET", "ledger/summary")["accepted"] == 0


def test_98_is_throttled_once_per_message(graph: Graph, sandbox: Any) -> None:
    first = {"to": "+15550140098", "biz_opaque_callback_data": "m=1"}
    outcomes = [graph.send(**first)[0] for _ in range(3)]
    assert outcomes == [400, 200, 200]
    status, answer = graph.send(**{**first, "biz_opaque_callback_data": "m=2"})
    assert (status, answer["error"]["code"]) == (400, 130429)
    assert [item["body"] for item in sandbox.inbox("15550140098")] == ["Hello", "Hello"]


def test_98_without_opaque_data_is_told_apart_by_its_content(graph: Graph) -> None:
    outcomes = [graph.send(to="+15550140098", text={"body": body})[0] for body in ("a", "a", "b", "b")]
    assert outcomes == [400, 200, 400, 200]


def test_97_is_slow_and_does_not_hold_up_others(graph: Graph) -> None:
    started = time.monotonic()
    graph.accepted(to="+15550140097")
    assert 0.4 <= time.monotonic() - started < 1.5
    started = time.monotonic()
    graph.accepted()
    assert time.monotonic() - started < 0.3


def test_96_delivers_but_hangs_up_without_an_answer(graph: Graph, receiver: Receiver, sandbox: Any) -> None:
    with pytest.raises(PyreqwestError):
        graph.send(to="+15550140096", biz_opaque_callback_data="m=96")
    assert [item["body"] for item in sandbox.inbox("+15550140096")] == ["Hello"]
    wamid = sandbox.inbox("+15550140096")[0]["id"]
    found = eventually(lambda: len(receiver.statuses(wamid)) == 3 and receiver.statuses(wamid))
    assert {item["biz_opaque_callback_data"] for item in found} == {"m=96"}
    assert graph.send()[0] == 200


def test_magic_can_be_switched_off(graph: Graph, switch: Switch) -> None:
    switch(magic=False)
    assert [graph.send(to=f"+155501400{ending}")[0] for ending in (96, 98, 99)] == [200, 200, 200]


def test_the_ledger_counts_distinct_ids_and_duplicates(graph: Graph, sandbox: Any) -> None:
    for opaque in ("a", "b", "b", "c", "b"):
        graph.accepted(biz_opaque_callback_data=opaque)
    graph.accepted()
    graph.send(to="1")
    summary = sandbox.control("GET", "ledger/summary")
    counts = {key: summary[key] for key in ("accepted", "with_opaque", "distinct_opaque", "duplicates")}
    assert counts == {"accepted": 6, "with_opaque": 5, "distinct_opaque": 3, "duplicates": 2}
    assert (summary["duplicate_ids"], summary["rejected"], summary["by_number"]) == ({"b": 3}, {"100": 1}, {NUMBER: 6})
    sends = sandbox.control("GET", "ledger", opaque="b", phone_number_id=NUMBER)["sends"]
    assert [(send["to"], send["opaque"]) for send in sends] == [("15550140071", "b")] * 3
    assert sandbox.control("GET", "ledger", opaque="b", phone_number_id="600000001")["sends"] == []
    assert len(sandbox.control("GET", "ledger", limit="4")["sends"]) == 4


def test_the_ledger_tells_of_many_ids_which_are_missing_or_repeated(graph: Graph, sandbox: Any) -> None:
    for opaque in ("a", "b", "b", "c"):
        graph.accepted(biz_opaque_callback_data=opaque)
    body = {"phone_number_id": NUMBER, "opaque": ["a", "b", "c", "d"]}
    assert sandbox.control("POST", "ledger/check", body) == {"once": 2, "missing": ["d"], "repeated": {"b": 2}}
    other = sandbox.control("POST", "ledger/check", body | {"phone_number_id": "600000001"})
    assert other == {"once": 0, "missing": ["a", "b", "c", "d"], "repeated": {}}


def test_an_injected_error_strikes_as_often_as_asked(graph: Graph, switch: Switch) -> None:
    switch(sync_error={"code": 131016, "count": 2})
    assert [graph.send()[0] for _ in range(4)] == [500, 500, 200, 200]


def test_a_storm_answers_without_an_envelope(graph: Graph, switch: Switch, sandbox: Any) -> None:
    switch(server_error={"code": 502, "count": 1})
    request = graph.client.post(f"{graph.url}/{NUMBER}/messages").header("authorization", "Bearer sandbox-x")
    response = request.body_json({}).build().send()
    assert (response.status, response.text().startswith("<html>")) == (502, True)
    assert sandbox.control("GET", "ledger/summary")["accepted"] == 0


def test_a_connection_can_drop_before_or_after_acceptance(graph: Graph, switch: Switch, sandbox: Any) -> None:
    for name, accepted in (("drop_before", 0), ("drop_after", 1)):
        switch(**{name: {"count": 1}})
        with pytest.raises(PyreqwestError):
            graph.send()
        assert sandbox.control("GET", "ledger/summary")["accepted"] == accepted


def test_latency_is_added_to_every_answer(graph: Graph, switch: Switch) -> None:
    switch(latency_ms=150)
    started = time.monotonic()
    graph.accepted()
    graph.call("GET", NUMBER)
    assert time.monotonic() - started >= 0.3


def test_switches_of_one_number_leave_the_others_alone(graph: Graph, sandbox: Any) -> None:
    sandbox.control("PUT", "switches", {"sync_error": {"code": 131000}}, phone_number_id=NUMBER)
    assert graph.send()[0] == 500
    assert graph.send(number="600000002")[0] == 200
    shown = sandbox.control("GET", "switches")
    assert shown["global"]["sync_error"] is None
    assert shown["numbers"][NUMBER]["sync_error"]["code"] == 131000


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency_ms": -1},
        {"latency_ms": "100"},
        {"latency_ms": True},
        {"status_drop": 1.5},
        {"strict": 1},
        {"failures": "maybe"},
        {"sync_error": {"code": 1, "chance": 1}},
        {"no_such_switch": 1},
    ],
)
def test_a_wrong_switch_is_refused_and_changes_nothing(sandbox: Any, wrong: dict[str, object]) -> None:
    before = sandbox.control("GET", "switches")
    with pytest.raises(SandboxError, match=next(iter(wrong))):
        sandbox.control("PUT", "switches", {"latency_ms": 5, **wrong})
    assert sandbox.control("GET", "switches") == before


def test_reset_forgets_everything(graph: Graph, switch: Switch, sandbox: Any) -> None:
    switch(latency_ms=1)
    graph.accepted()
    sandbox.control("POST", "reset")
    assert sandbox.inbox(PHONE) == []
    assert sandbox.control("GET", "ledger/summary")["accepted"] == 0
    assert sandbox.control("GET", "numbers") == {"numbers": []}
    assert sandbox.control("GET", "switches")["global"]["latency_ms"] == 0


def test_an_unknown_number_appears_on_first_use_unless_strict(graph: Graph, switch: Switch) -> None:
    assert graph.send(number="600000002")[0] == 200
    switch(strict=True)
    status, answer = graph.send(number="600000009")
    assert (status, answer["error"]["error_subcode"]) == (400, 33)


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"SANDBOX_PORT": "eighty"}, "SANDBOX_PORT must be a whole number"),
        ({"SANDBOX_PORT": "0"}, "SANDBOX_PORT must be a whole number"),
        ({"SANDBOX_HOST": "example.invalid"}, "SANDBOX_HOST must be an IP address"),
        ({"SANDBOX_WEBHOOK_URL": "ftp://x"}, "SANDBOX_WEBHOOK_URL must be an http or https URL"),
        ({"META_APP_ID": "app"}, "META_APP_ID must consist of digits"),
        ({"META_APP_SECRET": "a\nb"}, "META_APP_SECRET must be printable text"),
        ({"SANDBOX_SWITCH_LATENCY_MS": "fast"}, "SANDBOX_SWITCH_LATENCY_MS must be a JSON value"),
        ({"SANDBOX_SWITCH_SLOW": "1"}, "SANDBOX_SWITCH_SLOW: there is no switch"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(env: dict[str, str], named: str) -> None:
    with pytest.raises(SandboxError) as refusal:
        SandboxProcess.start(env=env)
    text = str(refusal.value)
    assert text.startswith(f"the sandbox ended with 2: sandbox: {named}")
    assert text.count("\n") == 1


def test_a_busy_port_stops_the_start_with_one_line(sandbox: SandboxProcess) -> None:
    with pytest.raises(SandboxError, match=rf"ended with 1: sandbox: port {sandbox.port} .*see SANDBOX_PORT"):
        SandboxProcess.start(port=sandbox.port)


def test_sigterm_ends_it_within_two_seconds_even_with_a_page_open() -> None:
    with SandboxProcess() as process, socket.create_connection(("127.0.0.1", process.port), 5) as page:
        page.sendall(b"GET /_events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert page.recv(12) == b"HTTP/1.1 200"
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 2
