"""Sending: every documented request is accepted, every limit is kept, errors come in the documented order."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from tests.sandbox.conftest import NUMBER, PHONE, SAMPLES, Graph, sample, shape

REQUESTS = [
    "contacts",
    "image_link",
    "video_link",
    "interactive_buttons",
    "interactive_cta_url",
    "interactive_flow",
    "interactive_list",
    "interactive_location_request",
    "location",
    "reaction",
    "text",
    "text_reply",
]
ERRORS = sorted(path.stem for path in (SAMPLES / "wa_error").glob("*.json"))


def test_an_accepted_text_is_answered_in_the_documented_shape(graph: Graph) -> None:
    status, answer = graph.call("POST", f"{NUMBER}/messages", sample("wa_request/text"))
    assert status == 200
    assert shape(answer) == shape(sample("wa_response/send_ok"))
    assert answer["contacts"] == [{"input": PHONE, "wa_id": "15550140071"}]


def test_a_message_id_holds_the_phone_in_the_documented_frame(graph: Graph) -> None:
    wamid = graph.accepted()
    raw = base64.b64decode(wamid.removeprefix("wamid."))
    assert re.fullmatch(rb"\x1c\x18\x0b15550140071\x15\x02\x00\x11\x18\x12[0-9A-F]{18}\x00", raw)
    assert 50 <= len(wamid) <= 80


@pytest.mark.parametrize("name", REQUESTS)
def test_every_documented_request_is_accepted(graph: Graph, name: str) -> None:
    status, answer = graph.call("POST", f"{NUMBER}/messages", sample(f"wa_request/{name}"))
    assert (status, set(answer)) == (200, {"messaging_product", "contacts", "messages"})


def test_a_message_to_a_bsuid_is_answered_without_wa_id(graph: Graph) -> None:
    status, answer = graph.call("POST", f"{NUMBER}/messages", sample("wa_request/text_to_bsuid"))
    assert status == 200
    assert shape(answer) == shape(sample("wa_response/send_ok_bsuid"))


def test_the_version_in_the_path_is_optional(graph: Graph) -> None:
    body = {"messaging_product": "whatsapp", "to": PHONE, "text": {"body": "Hi"}}
    request = graph.client.post(f"{graph.url}/{NUMBER}/messages").header("authorization", "Bearer sandbox-x")
    assert request.body_json(body).build().send().status == 200


@pytest.mark.parametrize("name", ERRORS or ["131009_bad_value"])
def test_every_documented_error_has_its_envelope(graph: Graph, switch: Any, name: str) -> None:
    expected = sample(f"wa_error/{name}")["error"]
    index = {row["file"]: row["note"] for row in sample("INDEX")}
    switch(sync_error={"code": expected["code"], "count": 1, "subcode": expected.get("error_subcode")})
    status, answer = graph.send()
    error = answer["error"]
    assert status == int(re.match(r"HTTP (\d+)", index[f"wa_error/{name}.json"])[1])  # type: ignore[index]
    assert error["code"] == expected["code"]
    assert re.fullmatch(r"A[0-9a-f]{22}", error["fbtrace_id"])
    texts_depend_on_the_case = ("100_33", "2388024", "190_token")
    if not name.startswith(texts_depend_on_the_case):
        assert {key: error[key] for key in ("message", "type")} == {key: expected[key] for key in ("message", "type")}
        assert shape(error) == shape(expected)


def code_of(answer: tuple[int, dict[str, Any]]) -> tuple[int, int, int | None]:
    status, body = answer
    return status, body["error"]["code"], body["error"].get("error_subcode")


def test_checks_come_in_the_documented_order(graph: Graph, sandbox: Any) -> None:
    """Token, path id, rate, schema, recipient, template, window: each fault hides the ones after it."""
    sandbox.control("PUT", "switches", {"throughput_per_second": 1, "window": True, "failures": "sync", "strict": True})
    faults = [
        {"type": "text", "text": {"body": ""}, "to": "12"},
        {"to": "12"},
        {"type": "template", "template": {"name": "gone", "language": {"code": "en_US"}}},
        {},
    ]
    assert code_of(graph.send(number="999999999", token=None, **faults[0])) == (403, 200, None)
    assert code_of(graph.send(number="999999999", token="unknown", **faults[0])) == (401, 0, None)
    assert code_of(graph.send(number="999999999", **faults[0])) == (400, 100, 33)
    assert graph.send(type="template", template=faults[2]["template"])[0] == 404
    assert code_of(graph.send(**faults[0])) == (400, 130429, None)
    sandbox.control("PUT", "switches", {"throughput_per_second": None})
    assert code_of(graph.send(**faults[0])) == (400, 131008, None)
    assert code_of(graph.send(**faults[1])) == (400, 100, None)
    assert code_of(graph.send(**faults[2])) == (404, 132001, None)
    assert code_of(graph.send(**faults[3])) == (400, 131047, None)


def test_a_token_of_another_account_finds_no_object(graph: Graph, sandbox: Any) -> None:
    sandbox.control("POST", "numbers", {"phone_number_id": "600000001", "waba_id": "700000001", "token": "EAAKother"})
    assert graph.send(token="EAAKdemo")[0] == 200
    status, answer = graph.send(token="EAAKother")
    assert status == 400
    expected = sample("wa_error/100_33_unknown_object")["error"]["message"].replace("512094478800000", NUMBER)
    assert answer["error"]["message"] == expected


def test_expired_and_revoked_tokens_are_named(graph: Graph, sandbox: Any) -> None:
    sandbox.control("POST", "tokens", {"token": "sandbox-a", "state": "expired"})
    sandbox.control("POST", "tokens", {"token": "sandbox-b", "state": "revoked"})
    assert code_of(graph.send(token="sandbox-a")) == (401, 190, 463)
    assert code_of(graph.send(token="sandbox-b")) == (401, 190, 460)
    assert graph.send(token="sandbox-c")[0] == 200


def buttons(*replies: tuple[str, str], body: str = "b") -> dict[str, Any]:
    action = {"buttons": [{"type": "reply", "reply": {"id": key, "title": title}} for key, title in replies]}
    return {"type": "interactive", "interactive": {"type": "button", "body": {"text": body}, "action": action}}


def rows(*counts: int, title: str = "t", description: str = "d", button: str = "Go") -> dict[str, Any]:
    sections = [
        {"title": f"s{s}", "rows": [{"id": f"{s}-{r}", "title": title, "description": description} for r in range(n)]}
        for s, n in enumerate(counts)
    ]
    action = {"button": button, "sections": sections}
    return {"type": "interactive", "interactive": {"type": "list", "body": {"text": "b"}, "action": action}}


@pytest.mark.parametrize(
    ("fits", "breaks", "code"),
    [
        ({"text": {"body": "x" * 4096}}, {"text": {"body": "x" * 4097}}, 131009),
        (
            {"type": "image", "image": {"link": "https://e.invalid/a", "caption": "x" * 1024}},
            {"type": "image", "image": {"link": "https://e.invalid/a", "caption": "x" * 1025}},
            131009,
        ),
        (
            {"text": {"body": "x"}, "biz_opaque_callback_data": "x" * 512},
            {"text": {"body": "x"}, "biz_opaque_callback_data": "x" * 513},
            100,
        ),
        (buttons(("a", "x" * 20)), buttons(("a", "x" * 21)), 131009),
        (buttons(("x" * 256, "a")), buttons(("x" * 257, "a")), 131009),
        (
            buttons(("a", "A"), ("b", "B"), ("c", "C")),
            buttons(("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")),
            131009,
        ),
        (buttons(("a", "A"), ("b", "B")), buttons(("a", "A"), ("a", "B")), 131009),
        (buttons(("a", "A"), ("b", "B")), buttons(("a", "A"), ("b", "A")), 131009),
        (buttons(("a", "A"), body="x" * 1024), buttons(("a", "A"), body="x" * 1025), 131009),
        (rows(5, 5), rows(5, 6), 131009),
        (rows(*[1] * 10), rows(*[1] * 11), 131009),
        (rows(1, title="x" * 24), rows(1, title="x" * 25), 131009),
        (rows(1, description="x" * 72), rows(1, description="x" * 73), 131009),
        (rows(1, button="x" * 20), rows(1, button="x" * 21), 131009),
        (
            {"type": "location", "location": {"latitude": "48.1", "longitude": 11.5}},
            {"type": "location", "location": {"latitude": "north", "longitude": 11.5}},
            131009,
        ),
        ({"type": "text", "text": {"body": "x"}}, {"type": "poll", "poll": {}}, 131051),
        (
            {"type": "image", "image": {"link": "https://e.invalid/a"}},
            {"type": "image", "image": {"link": "https://e.invalid/a", "id": "1"}},
            131009,
        ),
        (
            {"type": "image", "image": {"link": "https://e.invalid/a"}},
            {"type": "image", "image": {"id": "424242"}},
            131009,
        ),
        ({"to": "+49 170 1234500"}, {"to": "12345"}, 100),
        ({"text": {"body": "x"}}, {"type": "text", "text": {}}, 131008),
    ],
)
def test_limits_are_kept_at_their_edge(graph: Graph, fits: dict[str, Any], breaks: dict[str, Any], code: int) -> None:
    assert graph.send(**fits)[0] == 200
    status, answer = graph.send(**breaks)
    assert (status, answer["error"]["code"]) == (400, code)


def test_too_long_a_row_title_is_explained_as_documented(graph: Graph) -> None:
    _, answer = graph.send(**rows(1, title="x" * 25))
    assert answer["error"]["error_data"] == sample("wa_error/131009_bad_value")["error"]["error_data"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b'{"messaging_product":"sms"}'])
def test_malformed_bodies_are_refused(graph: Graph, sandbox: Any, body: bytes) -> None:
    status, answer = graph.call("POST", f"{NUMBER}/messages", body)
    assert (status, answer["error"]["code"]) == (400, 100)
    assert sandbox.control("GET", "ledger/summary")["accepted"] == 0


@pytest.mark.parametrize("value", [None, 7, [], {}, "x", True])
@pytest.mark.parametrize(
    "field", ["text", "image", "location", "contacts", "reaction", "interactive", "template", "context", "to"]
)
def test_wrongly_typed_fields_never_break_the_sandbox(graph: Graph, field: str, value: Any) -> None:
    body = {"type": field if field not in ("context", "to") else "text", "text": {"body": "x"}, field: value}
    status, _ = graph.send(**body)
    assert status in (200, 400, 404)


def test_sender_and_recipient_must_differ(graph: Graph) -> None:
    assert code_of(graph.send(to="+15550123400")) == (400, 131021, None)


def test_only_allowed_recipients_when_the_list_is_set(graph: Graph, switch: Any) -> None:
    switch(allowed_recipients=["+1 555 014 0071"])
    assert graph.send()[0] == 200
    assert code_of(graph.send(to="+15550140072")) == (400, 131030, None)


def test_throughput_is_exact_and_only_for_its_number(graph: Graph, sandbox: Any) -> None:
    sandbox.control("PUT", "switches", {"throughput_per_second": 5}, phone_number_id=NUMBER)
    outcomes = [graph.send()[0] for _ in range(8)]
    assert outcomes == [200] * 5 + [400] * 3
    assert [graph.send(number="600000002")[0] for _ in range(8)] == [200] * 8


def test_the_pair_rate_allows_a_burst_of_45(graph: Graph, switch: Any) -> None:
    switch(pair_limit=True)
    assert [graph.send()[0] for _ in range(45)] == [200] * 45
    assert code_of(graph.send()) == (400, 131056, None)
    assert graph.send(to="+15550140072")[0] == 200


def test_mark_read_needs_a_known_message(graph: Graph, sandbox: Any) -> None:
    wamid = sandbox.reply(PHONE, text="Hi", phone_number_id=NUMBER)["id"]
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    typing = {**read, "typing_indicator": {"type": "text"}}
    assert graph.call("POST", f"{NUMBER}/messages", read) == (200, sample("wa_response/success_true"))
    assert sandbox.control("GET", "phones/15550140071")["typing"] == []
    assert graph.call("POST", f"{NUMBER}/messages", typing) == (200, {"success": True})
    conversation = sandbox.control("GET", "phones/15550140071")
    assert (conversation["typing"], conversation["messages"][0]["seen"]) == ([NUMBER], True)
    assert code_of(graph.call("POST", f"{NUMBER}/messages", {**read, "message_id": "wamid.x"})) == (400, 131009, None)


def test_an_unregistered_number_cannot_send(graph: Graph) -> None:
    pin = {"messaging_product": "whatsapp", "pin": "482915"}
    assert graph.call("POST", f"{NUMBER}/register", pin) == (200, {"success": True})
    assert graph.call("POST", f"{NUMBER}/deregister") == (200, {"success": True})
    assert code_of(graph.send()) == (400, 133010, None)
    assert code_of(graph.call("POST", f"{NUMBER}/register", {**pin, "pin": "000000"})) == (400, 133005, None)
    assert graph.call("POST", f"{NUMBER}/register", pin)[0] == 200
    assert graph.send()[0] == 200
