"""The phones: inbox, answers of their owners as webhooks, media, accounts and tokens."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from pyreqwest.multipart import FormBuilder, PartBuilder

from sandbox.testing import SandboxError
from tests.sandbox.conftest import NUMBER, PHONE, WABA, Graph, sample, shape
from tests.sandbox.receiver import Receiver, eventually

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def inbound(receiver: Receiver, wamid: str) -> dict[str, Any]:
    """The webhook value that carried an inbound message."""
    found = eventually(
        lambda: [v for _, f, v in receiver.values() if any(m["id"] == wamid for m in v.get("messages", []))]
    )
    assert len(found) == 1
    return found[0]


def sample_value(name: str) -> Any:
    return sample(f"wa_webhook_in/{name}")["entry"][0]["changes"][0]["value"]


@pytest.mark.parametrize("phone", ["+15550140071", "15550140071", "%2B15550140071", "+1-555-014-0071"])
def test_the_inbox_finds_a_phone_however_it_is_written(graph: Graph, sandbox: Any, phone: str) -> None:
    graph.accepted(text={"body": "first"})
    graph.accepted(type="image", image={"link": "https://e.invalid/a.jpg", "caption": "second"})
    graph.call("POST", f"{NUMBER}/messages", sample("wa_request/interactive_buttons"))
    found = sandbox.inbox(phone)
    assert [(item["to"], item["body"]) for item in found] == [
        (PHONE, "first"),
        (PHONE, "second"),
        (PHONE, "Confirm 10:30?"),
    ]
    assert sorted(item["at"] for item in found) == [item["at"] for item in found]


def test_the_inbox_of_an_unknown_phone_is_empty(sandbox: Any) -> None:
    assert sandbox.inbox("+15550149999") == []


def test_a_text_becomes_the_documented_webhook(sandbox: Any, receiver: Receiver) -> None:
    answer = sandbox.reply(PHONE, text="Is the café open 🙂 / today?", phone_number_id=NUMBER)
    value = inbound(receiver, answer["id"])
    assert shape(value) == shape(sample_value("text"))
    assert value["metadata"] == {"display_phone_number": "15550123400", "phone_number_id": NUMBER}
    message = value["messages"][0]
    assert (message["from"], message["text"]["body"]) == ("15550140071", "Is the café open 🙂 / today?")
    assert message["from_user_id"] == value["contacts"][0]["user_id"] == answer["user_id"]
    assert eventually(lambda: any(b"caf\\u00e9 open \\ud83d\\ude42 \\/ today" in body for _, body in receiver.bodies))


def test_a_button_and_a_list_row_are_answered_as_documented(graph: Graph, sandbox: Any, receiver: Receiver) -> None:
    graph.call("POST", f"{NUMBER}/messages", sample("wa_request/interactive_buttons"))
    graph.call("POST", f"{NUMBER}/messages", sample("wa_request/interactive_list"))
    asked = [item["id"] for item in sandbox.inbox(PHONE)]
    for name, act, question in (
        ("interactive_button_reply", {"button_id": "confirm-yes"}, asked[0]),
        ("interactive_list_reply", {"list_id": "slot-3"}, asked[1]),
    ):
        value = inbound(receiver, sandbox.reply(PHONE, **act)["id"])
        expected = sample_value(name)
        assert shape(value) == shape(expected)
        assert value["messages"][0]["interactive"] == expected["messages"][0]["interactive"]
        assert value["messages"][0]["context"] == {"from": "15550123400", "id": question}


def test_a_template_quick_reply_is_a_button_message(graph: Graph, sandbox: Any, receiver: Receiver) -> None:
    graph.call("POST", f"{WABA}/message_templates", sample("wa_request/template_create_positional"))
    pressed = {"type": "payload", "payload": "P"}
    components = [
        {"type": "header", "parameters": [{"type": "text", "text": "1"}]},
        {"type": "body", "parameters": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "1"}]},
        {"type": "button", "sub_type": "quick_reply", "index": "1", "parameters": [pressed]},
    ]
    template = {"name": "order_ready_2", "language": {"code": "en_US"}, "components": components}
    assert eventually(lambda: graph.send(type="template", template=template)[0] == 200)
    value = inbound(receiver, sandbox.reply(PHONE, button_id="Later")["id"])
    assert shape(value) == shape(sample_value("button_template_quick_reply"))
    assert value["messages"][0]["button"] == {"payload": "P", "text": "Later"}


def test_a_flow_answer_returns_its_token(graph: Graph, sandbox: Any, receiver: Receiver) -> None:
    graph.call("POST", f"{NUMBER}/messages", sample("wa_request/interactive_flow"))
    value = inbound(receiver, sandbox.reply(PHONE, flow={"date": "2026-09-24"})["id"])
    assert shape(value) == shape(sample_value("interactive_nfm_reply"))
    reply = value["messages"][0]["interactive"]["nfm_reply"]
    assert reply["response_json"] == '{"flow_token":"tok-81","date":"2026-09-24"}'


def test_reactions_and_locations_and_quotes(graph: Graph, sandbox: Any, receiver: Receiver) -> None:
    wamid = graph.accepted()
    acts = {
        "reaction_add": {"reaction": {"emoji": "👍"}},
        "reaction_remove": {"reaction": {"message_id": wamid, "emoji": ""}},
        "location_pin_only": {"location": {"latitude": 48.1, "longitude": 11.5}},
        "text_reply_context": {"text": "This one", "reply_to": wamid},
        "text_forwarded": {"text": "FYI", "forwarded": True},
        "unsupported": {"unsupported": "poll_creation"},
    }
    for name, act in acts.items():
        value = inbound(receiver, sandbox.reply(PHONE, **act)["id"])
        assert shape(value) == shape(sample_value(name)), name


def test_a_hidden_phone_writes_without_its_number(sandbox: Any, receiver: Receiver, switch: Any) -> None:
    switch(hide_phones=True)
    value = inbound(receiver, sandbox.reply(PHONE, text="Hi", phone_number_id=NUMBER)["id"])
    assert "from" not in value["messages"][0]
    assert set(value["contacts"][0]) == {"profile", "user_id"}


def test_stopping_marketing_messages_is_told(graph: Graph, sandbox: Any, receiver: Receiver) -> None:
    graph.accepted()
    sandbox.control("POST", f"phones/{PHONE}/preferences", {"phone_number_id": NUMBER, "value": "stop"})
    found = eventually(lambda: [v for _, f, v in receiver.values() if f == "user_preferences"])
    expected = sample("wa_webhook_account/user_preferences_stop")["entry"][0]["changes"][0]["value"]
    assert [shape(value) for value in found] == [shape(expected)]


@pytest.mark.parametrize(
    "act",
    [
        {},
        {"text": ""},
        {"text": "a", "button_id": "b"},
        {"text": "a", "color": "red"},
        {"button_id": "nowhere"},
        {"text": "a", "phone_number_id": "111111"},
        {"location": {"latitude": 91, "longitude": 0}},
        {"media": {"type": "image", "mime_type": "image/png", "data": "***"}},
        {"timestamp": "now", "text": "a"},
    ],
)
def test_a_senseless_act_is_refused_and_sends_nothing(
    graph: Graph, sandbox: Any, receiver: Receiver, act: dict[str, Any]
) -> None:
    graph.accepted()
    with pytest.raises(SandboxError, match="40[04]"):
        sandbox.reply(PHONE, **act)
    assert receiver.messages() == []


def test_other_web_pages_may_not_steer_the_sandbox(graph: Graph, sandbox: Any) -> None:
    def reset(origin: str) -> int:
        request = graph.client.post(f"{sandbox.url}/_control/reset").header("origin", origin)
        return request.build().send().status

    assert reset("https://evil.invalid") == 403
    assert reset(sandbox.url) == 200


def upload(graph: Graph, content: bytes, mime_type: str, product: str = "whatsapp") -> tuple[int, dict[str, Any]]:
    part = PartBuilder.from_bytes(content).mime(mime_type).file_name("a b.png")
    form = FormBuilder().text("messaging_product", product).text("type", mime_type).part("file", part)
    request = graph.client.post(f"{graph.url}/v25.0/{NUMBER}/media").header("authorization", "Bearer sandbox-x")
    response = request.multipart(form).build().send()
    return response.status, response.json()


def test_media_is_uploaded_shown_downloaded_and_deleted(graph: Graph) -> None:
    status, answer = upload(graph, PNG, "image/png")
    assert (status, shape(answer)) == (200, shape(sample("wa_response/media_upload")))
    shown = graph.call("GET", answer["id"])[1]
    assert shape(shown) == shape(sample("wa_response/media_get"))
    assert (shown["sha256"], shown["file_size"]) == (hashlib.sha256(PNG).hexdigest(), len(PNG))
    assert graph.client.get(shown["url"]).build().send().status == 401
    got = graph.client.get(shown["url"]).header("authorization", "Bearer sandbox-x").build().send()
    assert (got.status, got.bytes().to_bytes(), got.headers["content-type"]) == (200, PNG, "image/png")
    assert graph.send(type="image", image={"id": answer["id"]})[0] == 200
    assert graph.call("DELETE", answer["id"]) == (200, {"success": True})
    assert graph.call("GET", answer["id"])[1]["error"]["error_subcode"] == 33
    again = graph.client.get(shown["url"]).header("authorization", "Bearer sandbox-x").build().send()
    assert again.status == 404


@pytest.mark.parametrize(
    ("content", "mime_type", "product"),
    [
        (b"MZ", "application/x-msdownload", "whatsapp"),
        (b"", "image/png", "whatsapp"),
        (bytes(5 * 1024 * 1024 + 1), "image/png", "whatsapp"),
        (PNG, "image/png", "sms"),
    ],
)
def test_media_outside_the_limits_is_refused(graph: Graph, content: bytes, mime_type: str, product: str) -> None:
    assert upload(graph, content, mime_type, product)[0] == 400


def test_a_customers_picture_can_be_fetched(graph: Graph, sandbox: Any, receiver: Receiver) -> None:
    picture = {"type": "image", "mime_type": "image/jpeg", "data": base64.b64encode(PNG).decode(), "caption": "Broken"}
    value = inbound(receiver, sandbox.reply(PHONE, media=picture, phone_number_id=NUMBER)["id"])
    image = value["messages"][0]["image"]
    assert base64.b64decode(image["sha256"]) == hashlib.sha256(PNG).digest()
    shown = graph.call("GET", image["id"])[1]
    got = graph.client.get(shown["url"]).header("authorization", "Bearer sandbox-x").build().send()
    assert got.bytes().to_bytes() == PNG


def test_numbers_of_an_account_are_listed_as_documented(graph: Graph) -> None:
    answer = graph.call("GET", f"{WABA}/phone_numbers")[1]
    expected = sample("wa_response/phone_numbers")
    del expected["data"][0]["last_onboarded_time"]
    assert shape(answer) == shape(expected)
    assert (answer["data"][0]["display_phone_number"], answer["data"][0]["id"]) == ("+1 555-012-3400", NUMBER)


def test_the_sign_up_code_becomes_a_token_that_can_be_examined(graph: Graph) -> None:
    app = {"client_id": "720011223344556", "client_secret": "0123456789abcdef0123456789abcdef"}
    token = graph.call("GET", "oauth/access_token", token=None, code="AQB1", **app)[1]
    assert shape(token) == shape(sample("wa_response/oauth_access_token"))
    app_token = "|".join(app.values())
    examined = graph.call("GET", "debug_token", token=app_token, input_token=token["access_token"])[1]
    assert shape(examined) == shape(sample("wa_response/debug_token"))
    assert examined["data"]["granular_scopes"][0]["target_ids"] == [WABA]
    invalid = graph.call("GET", "debug_token", token=app_token, input_token="nonsense")
    assert invalid == (200, sample("wa_response/debug_token_invalid"))
    assert graph.call("GET", "oauth/access_token", token=None, code="x", **{**app, "client_secret": "no"})[0] == 400
