"""Messenger and Instagram: the send API with its limits and errors, echoes and readings, people who write."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.testing import SandboxError
from tests.sandbox.conftest import Graph, sample, shape
from tests.sandbox.receiver import Receiver, eventually

PAGE, ACCOUNT, USER = "304455667788990", "17841455502233441", "24581177336690015"
REPLY = {"content_type": "text", "title": "a", "payload": "b"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def page(sandbox: Any) -> Any:
    sandbox.control("POST", "pages", {"page_id": PAGE, "instagram_id": ACCOUNT, "name": "Demo Shop"})
    return sandbox


def send(graph: Graph, path: str = PAGE, *, user: str = USER, **body: Any) -> tuple[int, dict[str, Any]]:
    full = {"recipient": {"id": user}, "messaging_type": "RESPONSE", "message": {"text": "Hello"}} | body
    return graph.call("POST", f"{path}/messages", {key: value for key, value in full.items() if value is not None})


def events(receiver: Receiver, kind: str) -> list[dict[str, Any]]:
    found = []
    for _, body in list(receiver.bodies):
        parsed = json.loads(body)
        found += [
            item | {"page": entry["id"]}
            for entry in parsed["entry"]
            if parsed["object"] == kind
            for item in entry["messaging"]
        ]
    return found


@pytest.mark.parametrize("name", ["request_text", "request_attachment", "request_quick_replies", "request_human_agent"])
def test_the_documented_requests_are_accepted_and_answered_in_the_documented_shape(
    page: Any, graph: Graph, name: str
) -> None:
    status, answer = graph.call("POST", f"{PAGE}/messages", sample(f"messenger/{name}"))
    assert (status, shape(answer)) == (200, shape(sample("messenger/response_ok")))
    (shown,) = page.inbox(f"psid:{USER}")
    assert (shown["to"], shown["phone_number_id"]) == (f"psid:{USER}", PAGE)


def test_a_message_comes_back_as_echo_with_its_metadata_then_delivered_and_read(
    page: Any, graph: Graph, receiver: Receiver
) -> None:
    _, answer = send(graph, message={"text": "Hello", "metadata": "our-id"})
    found = eventually(lambda: len(events(receiver, "page")) >= 3 and events(receiver, "page"))
    echo = next(item for item in found if "message" in item)
    assert echo["message"]["metadata"] == "our-id"
    assert echo["message"]["mid"] == answer["message_id"]
    assert (echo["sender"]["id"], echo["recipient"]["id"]) == (PAGE, USER)
    assert next(item for item in found if "delivery" in item)["delivery"]["mids"] == [answer["message_id"]]
    assert next(item for item in found if "read" in item)["read"]["watermark"] >= echo["timestamp"]
    assert page.control("GET", "ledger", opaque="our-id")["sends"][0]["to"] == USER


@pytest.mark.parametrize("path", [ACCOUNT, PAGE, "me"])
def test_instagram_answers_by_account_page_or_me_and_tells_reading_by_message(
    page: Any, graph: Graph, receiver: Receiver, path: str
) -> None:
    status, answer = send(graph, path, messaging_type=None)
    assert (status, shape(answer)) == (200, shape(sample("instagram/response_ok")))
    found = eventually(lambda: len(events(receiver, "instagram")) >= 2 and events(receiver, "instagram"))
    assert {item["page"] for item in found} == {ACCOUNT}
    assert [item["read"] for item in found if "read" in item] == [{"mid": answer["message_id"]}]
    assert [item for item in found if "delivery" in item] == []
    echo = next(item["message"] for item in found if "message" in item)
    assert shape(echo) == shape(sample("instagram/webhook_echo")["entry"][0]["messaging"][0]["message"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"messaging_type": None, "sender_action": "typing_on", "message": None}, None),
        ({"messaging_type": None, "sender_action": "dance", "message": None}, 100),
        ({"messaging_type": "PROMOTION"}, 100),
        ({"messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE"}, 100),
        ({"message": {"text": "x" * 2001}}, 100),
        ({"message": {"text": "x", "quick_replies": [REPLY] * 14}}, 100),
        ({"message": {"text": "x", "attachment": {}}}, 100),
        ({"message": {}}, 100),
        ({"message": {"attachment": {"type": "image", "payload": {"url": "nonsense"}}}}, 100),
        ({"recipient": {"id": "abc"}}, 100),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_refused_with_100(
    page: Any, graph: Graph, body: dict[str, Any], code: int | None
) -> None:
    status, answer = send(graph, **body)
    assert answer.get("error", {}).get("code") == code
    assert status == (200 if code is None else 400)


def test_instagram_counts_bytes(page: Any, graph: Graph) -> None:
    assert send(graph, ACCOUNT, messaging_type=None, message={"text": "é" * 500})[0] == 200
    assert send(graph, ACCOUNT, messaging_type=None, message={"text": "é" * 501})[0] == 400


def test_a_closed_window_is_told_at_once_and_a_person_has_seven_days(
    page: Any, graph: Graph, switch: Callable[..., Any]
) -> None:
    import time

    switch(window=True)
    for path, product, options in ((PAGE, "messenger", {}), (ACCOUNT, "instagram", {"messaging_type": None})):
        status, answer = send(graph, path, **options)
        documented = sample(f"{product}/error_window")
        answer["error"]["fbtrace_id"] = documented["error"]["fbtrace_id"]
        assert (status, answer) == (403, documented)
    three_days_ago = int(time.time()) - 3 * 86_400
    page.reply(USER, text="Hi", phone_number_id=PAGE, timestamp=three_days_ago)
    assert send(graph)[0] == 403
    assert send(graph, messaging_type="MESSAGE_TAG", tag="HUMAN_AGENT")[0] == 200
    page.reply(USER, text="Hi", phone_number_id=PAGE)
    assert send(graph)[0] == 200


@pytest.mark.parametrize(("ending", "code", "subcode"), [("99", 551, 1545041), ("98", 613, None)])
def test_magic_people(page: Any, graph: Graph, ending: str, code: int, subcode: int | None) -> None:
    _, answer = send(graph, user="1234567" + ending)
    assert (answer["error"]["code"], answer["error"].get("error_subcode")) == (code, subcode)
    assert (send(graph, user="1234567" + ending)[0] == 200) == (ending == "98")


def test_error_switches_work_for_chats_too(page: Any, graph: Graph, switch: Callable[..., Any]) -> None:
    switch(sync_error={"code": 1, "subcode": 1357046, "count": 1})
    _, answer = send(graph)
    assert (answer["error"]["code"], answer["error"]["error_subcode"]) == (1, 1357046)
    page.control("POST", "tokens", {"token": "sandbox-token-demo", "state": "expired"})
    assert send(graph)[1]["error"]["code"] == 190


@pytest.mark.parametrize(("path", "kind"), [(PAGE, "page"), (ACCOUNT, "instagram")])
def test_a_person_writes_taps_reacts_and_sends_files(
    page: Any, graph: Graph, receiver: Receiver, path: str, kind: str
) -> None:
    made = page.reply(USER, text="Is it open?", phone_number_id=path, name="Ines Okafor")
    prefix = "psid:" if path == PAGE else "igsid:"
    assert made["key"] == prefix + USER
    _, asked = send(
        graph,
        path,
        messaging_type="RESPONSE" if path == PAGE else None,
        message={"text": "Pick", "quick_replies": [{"content_type": "text", "title": "Yes", "payload": "YES"}]},
    )
    page.reply(made["key"], button_id="YES", phone_number_id=path)
    page.reply(made["key"], reaction={"message_id": asked["message_id"], "emoji": "❤"}, phone_number_id=path)
    data = base64.b64encode(PNG).decode()
    page.reply(made["key"], media={"type": "image", "mime_type": "image/png", "data": data}, phone_number_id=path)
    page.reply(made["key"], unsupported="poll", phone_number_id=path)

    def from_person() -> list[dict[str, Any]]:
        return [item for item in events(receiver, kind) if item["sender"]["id"] == USER]

    eventually(lambda: len(from_person()) >= 6)
    messages = [item["message"] for item in from_person() if "message" in item]
    assert messages[0]["text"] == "Is it open?"
    assert messages[1]["quick_reply"] == {"payload": "YES"}
    url = messages[2]["attachments"][0]["payload"]["url"]
    response = graph.client.get(url).build().send()
    assert (response.status, bytes(response.bytes()), response.headers["content-type"]) == (200, PNG, "image/png")
    assert messages[3]["is_unsupported"] is True
    (reaction,) = [item["reaction"] for item in from_person() if "reaction" in item]
    assert (reaction["mid"], reaction["emoji"]) == (asked["message_id"], "❤")
    assert graph.call("GET", USER, fields="name")[1]["name"] == "Ines Okafor"


def test_a_button_of_a_card_comes_back_as_postback(page: Any, graph: Graph, receiver: Receiver) -> None:
    card = {"title": "Mug", "buttons": [{"type": "postback", "title": "Buy", "payload": "BUY"}]}
    payload = {"template_type": "generic", "elements": [card]}
    assert send(graph, message={"attachment": {"type": "template", "payload": payload}})[0] == 200
    page.reply(f"psid:{USER}", button_id="BUY", phone_number_id=PAGE)
    found = eventually(lambda: [item["postback"] for item in events(receiver, "page") if "postback" in item])
    assert [(item["title"], item["payload"]) for item in found] == [("Buy", "BUY")]


def test_pages_subscribe_with_fields(page: Any, graph: Graph) -> None:
    assert graph.call("POST", f"{PAGE}/subscribed_apps")[1]["error"]["code"] == 100
    assert graph.call("POST", f"{PAGE}/subscribed_apps", subscribed_fields="messages")[1] == {"success": True}
    assert graph.call("GET", f"{PAGE}/subscribed_apps")[1]["data"][0]["name"] == "Sandbox"


def test_what_chats_do_not_have_is_refused(page: Any) -> None:
    with pytest.raises(SandboxError, match="no such messages"):
        page.reply(USER, contacts=[{"name": {"formatted_name": "Ada"}}], phone_number_id=PAGE)
    with pytest.raises(SandboxError, match="page_id"):
        page.control("POST", "pages", {"name": "x"})


def test_the_list_of_senders_names_pages_and_accounts(page: Any) -> None:
    rows = page.control("GET", "numbers")["numbers"]
    assert [(row["phone_number_id"], row["display_phone_number"]) for row in rows[1:]] == [
        (PAGE, "Messenger"), (ACCOUNT, "Instagram"),
    ]  # fmt: skip
