"""SMS gateways: requests by definition, answers, reports and messages of the shipped presets and of changed ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from messaging.drivers.base import (
    Ambiguous,
    ChannelInfo,
    ContentError,
    HttpResponse,
    Outgoing,
    ReceivedMessage,
    Scope,
    SendError,
    StatusUpdate,
    Unknown,
)
from messaging.drivers.callbacks import Callback, CallbackAbout
from messaging.drivers.sms_http.definition import definition_of, presets
from messaging.drivers.sms_http.driver import SmsHttpDriver

UUID = "0198c0de-0000-7000-8000-000000000001"
CALLBACK = "https://griot.example/webhook/callback/512"
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def channel(preset: str = "json", definition: dict[str, Any] | None = None, **fields: Any) -> ChannelInfo:
    config = {
        "gateway_url": "https://sms.example/send",
        "preset": preset,
        "username": "shop",
        "sender": "DEMO",
        "definition": definition or {},
    }
    secrets = {"access_token": "t0ken", "password": "p&ss wörd", "callback_token": "CB"}
    values = {"external_id": "512", "account_id": "", "address": "22997000000", "base_url": "https://provider.test"}
    return ChannelInfo(**values | {"config": config, "secrets": secrets, "callback_url": CALLBACK} | fields)


def request_for(info: ChannelInfo, text: str = "Hello") -> Any:
    message = Outgoing(UUID, "22997000001", {"type": "text", "text": {"body": text}})
    return SmsHttpDriver().bound_to(info).build_send(info, message)


def answer(info: ChannelInfo, status: int, body: Any) -> Any:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return SmsHttpDriver().bound_to(info).read_send(HttpResponse(status, raw))


def told(info: ChannelInfo, about: str, *, query: str = "", body: bytes | str = b"", nonce: str = "n") -> list[Any]:
    raw = body.encode() if isinstance(body, str) else body
    driver = SmsHttpDriver().bound_to(info)
    envelope = driver.callback_envelope(info, Callback(CallbackAbout(about), query, "", raw, AT, nonce))
    (part,) = driver.split(json.loads(json.dumps(envelope)))
    assert part.route is not None
    assert (part.route.kind, part.route.external_id) == ("sms", "512")
    return list(driver.parse(part))


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_a_definition_and_explains_itself(name: str) -> None:
    definition = definition_of(name, {})
    assert definition.label
    assert definition.help


def test_kannel_gets_its_parameters_with_our_id_in_the_address_for_reports() -> None:
    request = request_for(channel("kannel"), "Ça va ?")
    parts = urlsplit(request.url)
    assert (request.method, f"{parts.scheme}://{parts.netloc}{parts.path}") == ("GET", "https://sms.example/send")
    assert dict(parse_qsl(parts.query)) == {
        "username": "shop",
        "password": "p&ss wörd",
        "to": "+22997000001",
        "from": "DEMO",
        "text": "Ça va ?",
        "charset": "UTF-8",
        "coding": "0",
        "dlr-mask": "31",
        "dlr-url": f"{CALLBACK}/CB/report?id={UUID}&status=%d&answer=%A&at=%T",
    }
    assert request.body == b""


def test_what_gsm_cannot_say_is_announced_as_ucs2() -> None:
    assert parse_qs(urlsplit(request_for(channel("kannel"), "☕").url).query)["coding"] == ["2"]


def test_the_json_preset_sends_an_object_with_a_bearer_token() -> None:
    request = request_for(channel("json"))
    assert request.headers == {"Authorization": "Bearer t0ken", "Content-Type": "application/json"}
    assert json.loads(request.body) == {
        "to": "+22997000001",
        "from": "DEMO",
        "text": "Hello",
        "reference": UUID,
        "callback_url": f"{CALLBACK}/CB/report",
    }


def test_the_form_preset_sends_fields_with_basic_authentication() -> None:
    request = request_for(channel("form"), "a=b & c")
    assert request.headers["Authorization"] == "Basic c2hvcDpwJnNzIHfDtnJk"
    assert parse_qs(request.body.decode())["text"] == ["a=b & c"]
    assert parse_qs(request.body.decode())["encoding"] == ["gsm7"]


def test_a_sandbox_channel_speaks_the_default_to_the_sandbox_whatever_its_settings() -> None:
    info = channel("kannel", base_url="http://sandbox", is_sandbox=True)
    request = request_for(info)
    assert (request.method, request.url) == ("POST", "http://sandbox/sms/512/messages")
    assert SmsHttpDriver().gateway_of(info) == ""
    assert SmsHttpDriver().gateway_of(channel()) == "https://sms.example/send"


def test_parameters_without_a_value_are_left_out_and_nested_fields_are_filled() -> None:
    changes = {
        "send": {
            "fields": {
                "messages": [{"dst": "{to}", "body": "{text}", "user": "{username}", "n": 1, "parts": "{segments}"}],
                "reference": None,
                "api": "{password}",
            }
        }
    }
    info = channel("json", changes, secrets={})
    body = json.loads(request_for(info).body)
    assert body["messages"] == [{"dst": "22997000001", "body": "Hello", "user": "shop", "n": 1, "parts": "1"}]
    assert "reference" not in body
    assert "api" not in body
    assert "callback_url" not in body
    assert "Authorization" not in request_for(info).headers


def test_a_message_cannot_add_parameters_or_placeholders() -> None:
    request = request_for(channel("kannel"), "x&to=+1999{password}\r\nHost: evil")
    query = parse_qs(urlsplit(request.url).query)
    assert query["to"] == ["+22997000001"]
    assert query["text"] == ["x&to=+1999{password}\r\nHost: evil"]


@pytest.mark.parametrize(
    ("preset", "status", "body", "provider_id"),
    [
        ("kannel", 202, "0: Accepted for delivery", ""),
        ("kannel", 202, "3: Queued for later delivery", ""),
        ("json", 202, {"message_id": "m-1", "status": "accepted"}, "m-1"),
        ("json", 200, {"message_id": 77}, "77"),
        ("form", 200, "OK 12345\n", "12345"),
        ("form", 200, "ID: abc-9", "abc-9"),
    ],
)
def test_an_accepted_message(preset: str, status: int, body: Any, provider_id: str) -> None:
    assert answer(channel(preset), status, body).provider_id == provider_id


@pytest.mark.parametrize(
    ("preset", "status", "body", "code", "retryable", "pauses"),
    [
        ("kannel", 403, "Authorization failed for sendsms", "Authorization failed", False, True),
        ("kannel", 503, "Temporal failure, try again later.", "Temporal failure", True, False),
        ("kannel", 403, "Not routable. Do not try again.", "Not routable", False, False),
        ("json", 200, {"error": {"code": "no_credit", "message": "Empty"}}, "no_credit", False, True),
        ("json", 429, {"error": {"code": "throttled"}}, "throttled", True, False),
        ("json", 400, {"error": {"code": "x9", "message": "Bad text"}}, "x9", False, False),
        ("json", 429, "slow down", "http_429", True, False),
        ("json", 401, "", "http_401", False, True),
        ("json", 404, "<html>", "http_404", False, True),
        ("json", 302, "", "http_302", False, True),
        ("json", 422, "no", "http_422", False, False),
        ("form", 200, "ERR 104 Unknown sender", "104", False, False),
        ("form", 200, "ERROR: no_credit", "no_credit", False, True),
    ],
)
def test_a_refusal(preset: str, status: int, body: Any, code: str, retryable: bool, pauses: bool) -> None:
    with pytest.raises(SendError) as caught:
        answer(channel(preset), status, body)
    assert (caught.value.code, caught.value.retryable, caught.value.pauses) == (code, retryable, pauses)


def test_a_refusal_of_the_table_tells_how_to_go_on_and_others_repeat_the_gateways_words() -> None:
    with pytest.raises(SendError) as busy:
        answer(channel("json"), 429, {"error": {"code": "throttled"}})
    assert (busy.value.scope, busy.value.retry_after) == (Scope.CHANNEL, 2)
    with pytest.raises(SendError) as other:
        answer(channel("form"), 200, "ERR 104 Unknown sender")
    assert other.value.reason == "Unknown sender"


@pytest.mark.parametrize(
    ("preset", "status", "body"),
    [
        ("kannel", 202, "Sent."),
        ("kannel", 202, "Accepted 0: Accepted"),
        ("form", 200, "<html>Welcome</html>"),
        ("json", 500, {"error": {"code": "x9"}}),
        ("json", 408, ""),
        ("kannel", 503, ""),
    ],
)
def test_an_answer_that_does_not_say_is_never_taken_for_a_refusal(preset: str, status: int, body: Any) -> None:
    with pytest.raises(Ambiguous):
        answer(channel(preset), status, body)


@pytest.mark.parametrize(("number", "status"), [("1", "delivered"), ("2", "failed"), ("8", "sent"), ("16", "failed")])
def test_a_report_of_kannel(number: str, status: str) -> None:
    query = f"id={UUID}&status={number}&answer=NACK%2F0x45&at=1789000000"
    (update,) = told(channel("kannel"), "report", query=query)
    assert isinstance(update, StatusUpdate)
    assert (update.uuid, update.provider_id, update.status) == (UUID, UUID, status)
    assert update.at == datetime.fromtimestamp(1789000000, UTC)
    assert (update.error is not None) == (status == "failed")


def test_reports_as_a_list_of_json_come_out_one_by_one() -> None:
    reports = [
        {"message_id": "m-1", "reference": UUID, "status": "delivered", "at": "2026-11-20T09:59:00Z"},
        {"message_id": "m-2", "status": "failed", "error": "invalid_number", "at": 1_795_168_740_000},
        {"message_id": "m-3", "status": "queued"},
        {"status": "delivered"},
        "noise",
    ]
    first, second, *others = told(channel("json"), "report", body=json.dumps({"reports": reports}))
    # "queued" is known and says nothing new.
    assert (first.provider_id, first.uuid, first.at) == ("m-1", UUID, datetime(2026, 11, 20, 9, 59, tzinfo=UTC))
    assert (second.uuid, second.error.code) == ("", "invalid_number")
    assert second.error.reason == "The gateway says that this number does not exist."
    assert [type(other) for other in others] == [Unknown, Unknown]


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ("2030-01-01T00:00:00Z", AT),
        ("nonsense", AT),
        ("", AT),
        ("1e999", AT),
        ("9" * 40, AT),
        ("2026-11-20 09:00:00", AT.replace(hour=9)),
    ],
)
def test_a_report_is_never_from_the_future(given: str, at: datetime) -> None:
    (update,) = told(channel("kannel"), "report", query=f"id={UUID}&status=1&at={given}")
    assert abs((update.at - at).total_seconds()) <= 1


def test_an_id_that_is_not_ours_never_reaches_the_database_as_a_uuid() -> None:
    (update,) = told(channel("kannel"), "report", query="id=1%27%20OR%201&status=1")
    assert (update.uuid, update.provider_id) == ("", "1' OR 1")


def test_a_message_of_a_customer() -> None:
    query = "id=77&from=%2B22997000009&text=Je+veux+%C3%A7a&at=1789000000&charset=UTF-8"
    (message,) = told(channel("kannel"), "message", query=query)
    assert isinstance(message, ReceivedMessage)
    assert message.identities == (("phone", "22997000009"),)
    assert message.content == {"type": "text", "text": {"body": "Je veux ça"}}
    assert message.provider_id == "in-77"


def test_a_message_in_another_encoding_is_read_as_its_gateway_says() -> None:
    text = "Привет".encode("utf-16-be")
    query = "from=22997000009&charset=UTF-16BE&text=" + "".join(f"%{byte:02X}" for byte in text)
    (message,) = told(channel("kannel"), "message", query=query)
    assert message.content["text"]["body"] == "Привет"


def test_messages_without_an_id_are_two_and_one_call_processed_twice_is_one() -> None:
    same = {"query": "from=22997000009&text=ok"}
    first, again, second = (told(channel("kannel"), "message", nonce=nonce, **same)[0] for nonce in ("a", "a", "b"))
    assert first.provider_id == again.provider_id != second.provider_id


@pytest.mark.parametrize("sender", ["Airtel", "", "12", "+", "0" * 30])
def test_a_sender_that_is_no_number_is_kept_and_shown(sender: str) -> None:
    (item,) = told(channel("kannel"), "message", query=f"from={sender}&text=Hi")
    assert isinstance(item, Unknown)


def test_a_form_and_bytes_that_are_no_text_are_read_as_far_as_possible() -> None:
    (update,) = told(channel("form"), "report", body=f"reference={UUID}&status=DELIVRD&message_id=9")
    assert (update.status, update.provider_id) == ("delivered", "9")
    (item,) = told(channel("form"), "report", body=b"\xff\xfe\x00")
    assert isinstance(item, Unknown)
    (broken,) = told(channel("json"), "report", body="{not json")
    assert isinstance(broken, Unknown)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sned": {}}, "definition.sned"),
        ({"send": {"method": "DELETE"}}, "definition.send.method"),
        ({"send": {"fields": {"x": "{nothing}"}}}, "definition.send.fields.x"),
        ({"send": {"fields": {"to": "a", "text": "b"}}}, "definition.send"),
        ({"send": {"auth": {"type": "oauth"}}}, "definition.send.auth.type"),
        ({"send": {"headers": {"a b": "x"}}}, "definition.send.headers"),
        ({"send": {"headers": {"X": "a\r\nb"}}}, "definition.send.headers"),
        ({"answer": {"success": {"pattern": "("}}}, "definition.answer.success.pattern"),
        ({"answer": {"success": {}}}, "definition.answer.success"),
        ({"errors": {"7": {"scope": "world"}}}, "definition.errors.7"),
        ({"errors": {"7": {"retry_after": -1}}}, "definition.errors.7"),
        ({"reports": {"statuses": {"1": "read"}}}, "definition.reports.statuses"),
        ({"reports": {"id": 5}}, "definition.reports.id"),
    ],
)
def test_a_definition_that_cannot_work_is_refused_with_the_place(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ContentError) as caught:
        SmsHttpDriver().check(channel("json", changes))
    assert field in caught.value.fields


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"config": {"preset": "nothing", "gateway_url": "https://x.test"}}, "preset"),
        ({"config": {"preset": "kannel"}}, "gateway_url"),
        ({"config": {"preset": "kannel", "gateway_url": "ftp://x"}}, "gateway_url"),
        ({"config": {"preset": "kannel", "gateway_url": "https://x.test"}, "secrets": {}}, "password"),
        ({"config": {"preset": "kannel", "gateway_url": "https://x.test"}, "address": ""}, "sender"),
        ({"config": {"preset": "json", "gateway_url": "https://x.test", "sender": "é"}}, "sender"),
        ({"secrets": {"access_token": "a\r\nX: y"}}, "access_token"),
    ],
)
def test_settings_that_cannot_work_are_named(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(ContentError) as caught:
        SmsHttpDriver().check(channel(**fields))
    assert name in caught.value.fields


def test_a_pattern_that_would_take_for_ever_elsewhere_does_not() -> None:
    info = channel("json", {"answer": {"success": {"pattern": "^(a+)+$"}}})
    with pytest.raises(Ambiguous):
        answer(info, 200, "a" * 16_000 + "!")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"type": "image", "image": {}}, "type"),
        ({"type": "text"}, "text"),
        ({"type": "text", "text": {"body": " "}}, "text.body"),
        ({"type": "text", "text": {"body": "☕" * 671}}, "text.body"),
        ({"type": "text", "text": {"body": "x" * 1531}}, "text.body"),
        ({"type": "text", "text": {"body": "a\x00b"}}, "text.body"),
    ],
)
def test_what_no_sms_can_carry_is_refused(content: dict[str, Any], field: str) -> None:
    with pytest.raises(ContentError) as caught:
        SmsHttpDriver().validate(content)
    assert field in caught.value.fields
